// The switch above the map: bikes, electric bikes or places. It stands in the address as "kind".

import { readAddress, writeAddress } from "./address.js";

/** Show in the map's signs what the switch says, and keep the switch, the address and the map together. */
export function keepKind(map) {
  const choices = [...document.querySelectorAll("#kind input")];
  const follow = () => {
    const { kind } = readAddress();
    const chosen = choices.find(({ value }) => value === kind) ?? choices[0];
    chosen.checked = true;
    map.showMetric(chosen.value);
  };
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      writeAddress({ kind: choice === choices[0] ? "" : choice.value }, { push: true });
      follow();
    });
  }
  addEventListener("popstate", follow);
  follow();
}
