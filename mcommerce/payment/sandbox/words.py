"""What the payment page says, in its two languages."""

WORDS = {
    "en": {
        "language": "en",
        "other_language": "fr",
        "other_language_name": "Français",
        "title": "Pay",
        "test_mode": "Test page: no money moves",
        "amount_due": "Amount due",
        "to": "to",
        "card_legend": "Your card",
        "number": "Card number",
        "expiry": "Expiry",
        "expiry_hint": "MM/YY",
        "cvc": "CVC",
        "cvc_hint": "3 or 4 digits, on the back",
        "pay": "Pay",
        "paying": "Paying…",
        "go_back": "Cancel and return to the shop",
        "back_to_shop": "Return to the shop",
        "test_cards": "Test cards",
        "test_cards_hint": "Any future expiry and any CVC. Real cards are refused.",
        "use": "Use",
        "card_succeed": "Succeeds",
        "card_decline": "Is declined",
        "card_confirm": "Needs a second step",
        "card_lose_answer": "Is charged, but the answer gets lost for a while",
        "confirm_title": "Approve this payment",
        "confirm_text": "Your bank asks whether you make this payment with the card ending in",
        "approve": "Approve",
        "refuse": "Refuse",
        "succeeded_title": "Paid",
        "succeeded_text": "This payment has been made.",
        "expired_title": "This page has expired",
        "expired_text": "Nothing was charged. Return to the shop to see your order.",
        "missing_title": "No such payment",
        "missing_text": "This address does not name a payment.",
        "check_card": "Please correct the card.",
        "number_missing": "Enter the card number.",
        "number_invalid": "This is not a card number: check its digits.",
        "expiry_invalid": "Enter the expiry as month and year, such as 04/29.",
        "expiry_past": "This card has expired.",
        "cvc_invalid": "The CVC has 3 or 4 digits.",
        "card_declined": "This card was declined. Nothing was charged. Try another card.",
        "test_card_required": "Only the test cards below can pay here. Nothing was charged.",
        "authentication_refused": "The payment was not approved. Nothing was charged.",
    },
    "fr": {
        "language": "fr",
        "other_language": "en",
        "other_language_name": "English",
        "title": "Payer",
        "test_mode": "Page de test : aucun argent ne circule",
        "amount_due": "Montant à payer",
        "to": "à",
        "card_legend": "Votre carte",
        "number": "Numéro de carte",
        "expiry": "Expiration",
        "expiry_hint": "MM/AA",
        "cvc": "Code de sécurité",
        "cvc_hint": "3 ou 4 chiffres, au dos",
        "pay": "Payer",
        "paying": "Paiement en cours…",
        "go_back": "Annuler et revenir à la boutique",
        "back_to_shop": "Revenir à la boutique",
        "test_cards": "Cartes de test",
        "test_cards_hint": "Toute expiration à venir, tout code. Les vraies cartes sont refusées.",
        "use": "Utiliser",
        "card_succeed": "Acceptée",
        "card_decline": "Refusée",
        "card_confirm": "Demande une seconde étape",
        "card_lose_answer": "Débitée, mais la réponse se perd un moment",
        "confirm_title": "Approuver ce paiement",
        "confirm_text": "Votre banque demande si vous faites ce paiement avec la carte se terminant par",
        "approve": "Approuver",
        "refuse": "Refuser",
        "succeeded_title": "Payé",
        "succeeded_text": "Ce paiement a été effectué.",
        "expired_title": "Cette page a expiré",
        "expired_text": "Rien n’a été débité. Revenez à la boutique pour voir votre commande.",
        "missing_title": "Paiement introuvable",
        "missing_text": "Cette adresse ne désigne aucun paiement.",
        "check_card": "Veuillez corriger la carte.",
        "number_missing": "Saisissez le numéro de carte.",
        "number_invalid": "Ce n’est pas un numéro de carte : vérifiez les chiffres.",
        "expiry_invalid": "Saisissez l’expiration en mois et année, par exemple 04/29.",
        "expiry_past": "Cette carte a expiré.",
        "cvc_invalid": "Le code de sécurité a 3 ou 4 chiffres.",
        "card_declined": "Cette carte a été refusée. Rien n’a été débité. Essayez-en une autre.",
        "test_card_required": "Seules les cartes de test ci-dessous peuvent payer ici. Rien n’a été débité.",
        "authentication_refused": "Le paiement n’a pas été approuvé. Rien n’a été débité.",
    },
}

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
NO_MINOR_UNIT = {"JPY", "KRW", "CLP", "VND", "XAF", "XOF", "XPF"}


def choose_language(*, asked: str, accepted: str, chosen_by_shop: str) -> str:
    """The query's language, else the one that the shop chose, else the browser's, else English."""
    browser = [part.split(";")[0].strip()[:2].lower() for part in accepted.split(",")]
    return next((code for code in (asked, chosen_by_shop, *browser) if code in WORDS), "en")


def money(amount: int, currency: str, language: str) -> str:
    """Minor units as people write them: "€1,234.50" in English, "1 234,50 €" in French."""
    digits = f"{amount:,}" if currency in NO_MINOR_UNIT else f"{amount // 100:,}.{amount % 100:02}"
    symbol = SYMBOLS.get(currency)
    if language == "fr":
        french = digits.translate({ord(","): "\N{NARROW NO-BREAK SPACE}", ord("."): ","})
        return f"{french}\N{NO-BREAK SPACE}{symbol or currency}"
    return f"{symbol}{digits}" if symbol else f"{currency}\N{NO-BREAK SPACE}{digits}"
