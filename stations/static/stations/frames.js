// The frames of the stations' socket: JSON, compressed where it is long. docs/stations-socket.md describes them.

export const WORLD = ""; // the contract in frames whose rows are cities

/** Return the frame in a message of the socket. */
export async function decoded(data) {
  if (typeof data === "string") return JSON.parse(data);
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

/** Return a time as text; frames have the milliseconds from it to their own time. */
const timeOf = (ms, at) => new Date(at - ms).toISOString();
const valueOf = (name, value, at) => (value !== null && name.endsWith("_at") ? timeOf(value, at) : value);

/** Return the rows of a snapshot by their numbers. */
export function rowsOf({ fields, numbers, columns, at }) {
  const rows = new Map(numbers.map((number) => [number, {}]));
  columns.forEach((column, field) => {
    const name = fields[field];
    numbers.forEach((number, place) => (rows.get(number)[name] = valueOf(name, column[place], at)));
  });
  return rows;
}

/** Return a delta's changes: [{number, told}]. `told` has the fields that changed, or is null for a removed row. */
export function changesOf({ changes, at }, fields) {
  return changes.map(([number, ...parts]) => {
    if (parts.length === 0) return { number, told: null };
    const told = {};
    for (let place = 0; place < parts.length; place += 2) {
      const name = fields[parts[place]];
      told[name] = valueOf(name, parts[place + 1], at);
    }
    return { number, told };
  });
}
