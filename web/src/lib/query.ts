// What a person needs to write a query, and what to say where it is wrong. The controller alone
// decides what a query means. Pure.

export interface Example {
  q: string
  means: string
}

export const examples: Example[] = [
  { q: '10.0.2.', means: 'plain words: any part of a name, address, MAC, serial number, worker or rack' },
  { q: 'model=*S19* and hashrate<80%', means: 'a field, a comparison and a value; * stands for anything' },
  { q: 'worker~acme', means: '~ is for what a text holds; =, !=, <, <=, > and >= compare' },
  { q: 'state=fault or state=stale', means: 'and, or, not and brackets join conditions' },
  { q: 'temp>80 and not rack=R3', means: 'hot chips; figures take units, such as power>3.3kW or uptime<1h' },
  { q: 'alert=dead-board', means: 'miners with an alert of one kind' },
  { q: 'held=yes or maintenance=yes', means: 'what people hold, or have taken into maintenance' },
]

const safe = /^[\w.:/@-]+$/

/** A value as a query takes it: quoted where it holds more than letters, digits and the like. */
export function quoted(v: string): string {
  return safe.test(v) ? v : `"${v.replace(/["\\*?]/g, '\\$&')}"`
}

/** The query that finds exactly these few devices. */
export function just(devices: string[]): string {
  return devices.map((d) => `device=${quoted(d)}`).join(' or ')
}

/** The query for the place of an alert of many: a group of the site, or else a node. */
export function placeOf(where: string, groups: { id: string }[]): string {
  return `${groups.some((g) => g.id === where) ? 'group' : 'node'}=${quoted(where)}`
}

export interface Spot {
  before: string
  wrong: string
  after: string
}

/**
 * Where in the query the fault lies, from the controller's words: a column that it names, else
 * the first thing in quotes that the query holds. Null where it says neither.
 */
export function spot(query: string, said: string): Spot | null {
  const cut = (at: number, n: number): Spot => ({ before: query.slice(0, at), wrong: query.slice(at, at + n), after: query.slice(at + n) })
  const column = /\bcharacter (\d+)\b/.exec(said)
  const named = [...said.matchAll(/"((?:[^"\\]|\\.)+)"/g)].map((m) => m[1]!.replace(/\\(.)/g, '$1')).filter((w) => query.includes(w) && w !== query)
  if (column) {
    const at = Math.min(Math.max(0, Number(column[1]) - 1), query.length)
    const word = named.find((w) => query.startsWith(w, at))
    return cut(at, word?.length ?? Math.max(1, /^[^\s()]*/.exec(query.slice(at))![0].length))
  }
  return named.length > 0 ? cut(query.indexOf(named[0]!), named[0]!.length) : null
}
