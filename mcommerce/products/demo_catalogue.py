"""The eight products of the demo shop."""

from typing import NamedTuple


class DemoProduct(NamedTuple):
    """A product of the demo catalogue. The drawing is `products/demo/<drawing>.svg`."""

    drawing: str
    price: int  # in whole units of the shop's currency
    pieces: int
    french: tuple[str, str]  # title, description
    english: tuple[str, str]


DEMO_PRODUCTS = [
    DemoProduct(
        "bougie",
        22,
        120,
        (
            "Bougie fonctionnant au feu",
            "Sans pile, sans câble, sans mise à jour. Une allumette suffit, et elle éclaire même pendant les pannes.",
        ),
        (
            "Candle that runs on fire",
            "No battery, no cable, no update. One match is enough, and it works best in a power cut.",
        ),
    ),
    DemoProduct(
        "chaise",
        95,
        24,
        (
            "Chaise pour s’asseoir",
            "Quatre pieds, un dossier, une seule fonction, parfaitement remplie. Ne convient pas pour rester debout.",
        ),
        (
            "Chair for sitting on",
            "Four legs, one back and a single purpose, perfectly fulfilled. Not recommended for standing.",
        ),
    ),
    DemoProduct(
        "cheval",
        360,
        7,
        (
            "Cheval pour nains",
            "Toutes les qualités d’un grand cheval, plus près du sol. Se monte sans escabeau, se gare dans l’entrée.",
        ),
        (
            "Horse for dwarfs",
            "All the qualities of a large horse, nearer to the ground. Mount without a ladder, park in the hall.",
        ),
    ),
    DemoProduct(
        "coq",
        620,
        12,
        (
            "Coq of steel",
            "Chante à six heures, hiver comme été, et ne rouille que le dimanche. Les renards s’y cassent les dents.",
        ),
        (
            "Rooster d’acier",
            "Crows at six, winter and summer, and rusts on Sundays only. Foxes have broken their teeth on it.",
        ),
    ),
    DemoProduct(
        "flacon",
        1200,
        3,
        (
            "Flacon à frotter avec un génie dedans",
            "Trois vœux compris dans le prix. Le génie n’est ni repris ni échangé, surtout pas après le deuxième.",
        ),
        (
            "Bottle to rub, with a genie inside",
            "Three wishes included. The genie cannot be returned or exchanged, least of all after the second.",
        ),
    ),
    DemoProduct(
        "horloge",
        180,
        16,
        (
            "Horloge quantique",
            "À l’heure et en retard à la fois, jusqu’à ce que quelqu’un regarde. Idéale pour les réunions.",
        ),
        (
            "Quantum clock",
            "Both on time and late until somebody looks. Ideal for meetings.",
        ),
    ),
    DemoProduct(
        "table",
        210,
        9,
        (
            "Table d’opération pour hamsters",
            "Réglable en hauteur, lampe sans ombre, sangles très douces. La roue de réveil est fournie.",
        ),
        (
            "Operating table for hamsters",
            "Adjustable height, shadowless lamp, very soft straps. The recovery wheel is included.",
        ),
    ),
    DemoProduct(
        "vase",
        730,
        1,
        (
            "Vase ayant appartenu à Zeus",
            "Un seul propriétaire, immortel. Légères traces de foudre sur l’anse gauche. Certificat signé de l’Olympe.",
        ),
        (
            "Vase that belonged to Zeus",
            "One careful owner, immortal. Slight traces of lightning on the left handle. Certified on Olympus.",
        ),
    ),
]
