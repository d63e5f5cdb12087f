// The feed's lines as people can read them: a wave of commands is one line with a count, what
// needs a person keeps its own. Pure.

import type { Decision } from './types'

/** A decision with a number of its own, as two may be equal in every field. */
export interface FeedLine extends Decision {
  seq: number
}

export interface FeedRow {
  key: string
  kind: string
  /** Newest first; one line is the common case. */
  lines: FeedLine[]
  /** The group whose miners the lines speak of, where there is more than one miner. */
  group: string
  /** How many miners the lines speak of. */
  devices: number
  routine: boolean
}

/** What the plan does all day; everything else is for a person to see. */
const routineKinds = new Set(['award', 'command', 'confirm'])
export const isRoutine = (kind: string) => routineKinds.has(kind)

/** Who looked is kept, and is no news. */
const isLogin = (d: Decision) => d.kind === 'audit' && d.text.startsWith('log in')

const keepRoutine = 1500
const keepOthers = 400

/** Site seconds that one line may span: long enough to read it, never so long that it hides a change. */
export function span(speed: number): number {
  return [300, 900, 3600].find((s) => s >= 15 * speed) ?? 3600
}

/** What was done, without its reason and with its numbers masked: lines that share it are one wave. */
function pattern(text: string): string {
  return text.replace(/, because .*$/s, '').replace(/\d+(?:[.,]\d+)*/g, '#').replace(/\b[kM]?W\b/g, 'W')
}

/**
 * Joins lines of one kind, load, code and pattern within one span of time. lines come newest
 * first; rows come with the newest beginning first, so that a row which grows stays in its place.
 */
export function collapse(lines: FeedLine[], seconds: number, groupOf: (subject: string) => string): FeedRow[] {
  const rows = new Map<string, FeedRow>()
  for (const d of lines) {
    const group = groupOf(d.subject)
    // A line about the site, a node or by a person stands alone: there are few, and each counts.
    const login = isLogin(d)
    const joins = group !== '' || d.kind === 'award' || login
    const bucket = Math.floor(Date.parse(d.at) / 1000 / seconds)
    const key = joins ? [d.kind, d.code, group || d.subject, group ? pattern(d.text) : login ? 'log in' : '', bucket].join('|') : `one|${d.seq}`
    const row = rows.get(key)
    if (row) row.lines.push(d)
    else rows.set(key, { key, kind: d.kind, lines: [d], group, devices: 1, routine: isRoutine(d.kind) || login })
  }
  const out = [...rows.values()]
  for (const r of out) r.devices = r.group ? new Set(r.lines.map((d) => d.subject)).size : 0
  const began = (r: FeedRow) => r.lines[r.lines.length - 1]!
  return out.sort((a, b) => Date.parse(began(b).at) - Date.parse(began(a).at) || began(b).seq - began(a).seq)
}

/** Bounds the list: a wave of commands must not push out yesterday's alarm. lines come newest first. */
export function bounded(lines: FeedLine[]): FeedLine[] {
  let routine = 0
  let others = 0
  return lines.filter((d) => (isRoutine(d.kind) ? ++routine <= keepRoutine : ++others <= keepOthers))
}

/** The text without its subject, which stands before it already. */
export function tail(text: string, subject: string): string {
  if (!subject || !text.startsWith(subject)) return text
  const rest = text.slice(subject.length)
  return rest.startsWith(': ') ? rest.slice(2) : rest.startsWith(' ') ? rest.slice(1) : text
}

/** What one line says of many miners: numbers that differ among them are left out. */
export function summary(lines: FeedLine[]): string {
  const newest = lines[0]!
  const text = tail(newest.text, newest.subject)
  // How each was seen differs from one to the next, and stands in its own line.
  if (newest.kind === 'confirm') return heads(lines, ': ', text)
  return heads(lines, ', because ', text)
}

function heads(lines: FeedLine[], sep: string, text: string): string {
  const head = (d: FeedLine) => tail(d.text, d.subject).split(sep)[0]!
  const first = head(lines[0]!)
  const same = lines.every((d) => head(d) === first)
  const said = same ? first : first.replace(/\d+(?:[.,]\d+)*/g, '…')
  return sep === ': ' ? said : said + text.slice(first.length)
}
