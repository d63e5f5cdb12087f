// What is read off investment studies: money in three digits, one scale for spreads that are
// compared, what a file brings with it. Nothing here asks the controller.

import { dash, num } from './format'
import type { Spread, StudyFinding, StudyOption, StudyReport, StudyRequest, StudyView } from './studytypes'

const minus = '\u2212'

/** Dollars in three digits: "$41.2M", "−$430k". */
export function money(v: number | null | undefined): string {
  if (v == null || !Number.isFinite(v)) return dash
  const a = Math.abs(v)
  const [scale, unit, digits] = a >= 9.995e8 ? [1e9, 'B', 2] : a >= 99.95e6 ? [1e6, 'M', 0] : a >= 9.995e5 ? [1e6, 'M', 1] : a >= 999.5 ? [1e3, 'k', 0] : [1, '', 0]
  const s = num(a / (scale as number), digits as number)
  return (v < 0 && Number(s.replace(/,/g, '')) !== 0 ? minus : '') + '$' + s + unit
}

export const percent = (share: number | null | undefined, digits = 1) => (share == null ? dash : `${num(share * 100, digits)} %`)
export const pct = (v: number | null | undefined) => (v == null ? dash : `${num(v, 1)} %`)

export const years = (months: number) => (months % 12 === 0 ? `${months / 12} years` : `${months} months`)
export const worlds = (paths: number, seed: number) => (paths > 0 ? `${num(paths)} worlds, seed ${seed}` : 'the expected case alone')

export const busy = (v: StudyView) => v.state === 'waiting' || v.state === 'running' || v.state === 'interrupted'

/** What a study that is not done is at. */
export function stand(v: StudyView): string {
  if (v.state === 'waiting') return 'Waiting for its turn'
  if (v.state === 'interrupted') return 'Interrupted: the controller stopped. It is run again from the beginning'
  const run = v.interrupted > 0 ? `Run ${v.interrupted + 1}, from the beginning, as the controller stopped: ` : ''
  return `${run}${v.stage || 'Running'}${v.total > 1 ? `, ${num(v.done)} of ${num(v.total)}` : ''}`
}

/** One scale for all spreads of a picture; zero is always on it. */
export interface Scale {
  from: number
  to: number
}

export function scaleOf(all: (Spread | null | undefined)[]): Scale {
  let from = 0
  let to = 0
  for (const s of all) {
    if (!s) continue
    from = Math.min(from, s.mean, s.p10)
    to = Math.max(to, s.mean, s.p90)
  }
  const room = (to - from) * 0.02 || 1
  return { from: from < 0 ? from - room : 0, to: to > 0 ? to + room : room }
}

/** Where a value lies on a scale, in per cent. */
export const place = (v: number, s: Scale) => Math.max(0, Math.min(100, ((v - s.from) / (s.to - s.from)) * 100))

/** A spread without worlds is a point. */
export const certain = (s: Spread) => s.p10 === s.p90 || (s.p10 === 0 && s.p90 === 0)

/** Halls in the order of the file, each with its options, the best first. */
export function byHall(r: StudyReport): { hall: string; best: string; options: StudyOption[] }[] {
  const halls = [...new Set((r.options ?? []).map((o) => o.hall))]
  return halls.map((hall) => ({
    hall,
    best: (r.best ?? []).find((b) => b.hall === hall)?.option ?? '',
    options: (r.options ?? []).filter((o) => o.hall === hall).sort((a, b) => b.npv_usd.mean - a.npv_usd.mean),
  }))
}

const grave = ['covenant', 'loan', 'limit', 'input', 'cash', 'tax', 'irr']
const rank = (f: StudyFinding) => (grave.indexOf(f.kind) + grave.length) % grave.length

/** Findings of the site and of what is chosen, the gravest first; and those of other options. */
export function sorted(r: StudyReport): { ours: StudyFinding[]; others: StudyFinding[] } {
  const chosen = new Map((r.best ?? []).map((b) => [b.hall, b.option]))
  const ours: StudyFinding[] = []
  const others: StudyFinding[] = []
  for (const f of r.findings ?? []) (!f.hall || !f.option || chosen.get(f.hall) === f.option ? ours : others).push(f)
  const order = (a: StudyFinding, b: StudyFinding) => rank(a) - rank(b)
  return { ours: ours.sort(order), others: others.sort(order) }
}

/** In one sentence: what to do with the halls, and what that is worth. */
export function headline(r: StudyReport): string {
  const best = r.best ?? []
  const kinds = new Map((r.options ?? []).map((o) => [`${o.hall} ${o.name}`, o.kind]))
  const words: Record<string, string> = { mine: 'mine on', host: 'host AI', cloud: 'rent out GPUs', sell: 'be sold', greenfield: 'mine on while a new site is built' }
  const groups = new Map<string, string[]>()
  for (const b of best) {
    const what = words[kinds.get(`${b.hall} ${b.option}`) ?? ''] ?? b.title
    groups.set(what, [...(groups.get(what) ?? []), b.hall])
  }
  const list = (l: string[]) => (l.length < 2 ? l.join('') : `${l.slice(0, -1).join(', ')} and ${l.at(-1)}`)
  const parts = [...groups].map(([what, halls]) => (halls.length === best.length && halls.length > 1 ? `All ${halls.length} halls should ${what}` : `${list(halls)} should ${what}`))
  const over = r.portfolio.npv_usd.mean - r.portfolio.npv_mining_on_usd.mean
  const worth = over > 0 ? `${money(over)} more than mining on everywhere` : 'no more than mining on everywhere'
  return `${parts.join('; ')}: ${money(r.portfolio.npv_usd.mean)}, ${worth}.`
}

/** What makes studies hard to compare, in sentences. */
export function unlike(all: { study: string; report: StudyReport }[]): string[] {
  const out: string[] = []
  const first = all[0]
  if (!first) return out
  for (const x of all.slice(1)) {
    const [a, b] = [first.report, x.report]
    if (a.seed !== b.seed || a.paths !== b.paths) out.push(`${first.study} and ${x.study} do not see the same worlds.`)
    else if (a.start !== b.start || a.months !== b.months) out.push(`${first.study} and ${x.study} do not span the same time.`)
    else if (a.discount_pct !== b.discount_pct) out.push(`${first.study} and ${x.study} are discounted at ${num(a.discount_pct, 1)} and ${num(b.discount_pct, 1)} % a year.`)
  }
  return out
}

const mostBytes = 11e6

/** Makes the request of the files that a person chose: one study, and what it names. */
export async function requestOf(files: File[]): Promise<StudyRequest> {
  const studies = files.filter((f) => /\.ya?ml$/i.test(f.name))
  if (studies.length !== 1) throw new Error(studies.length === 0 ? 'Choose a study file: its name ends in .yaml.' : 'Choose one study file at a time, and with it only the files that it names.')
  const main = studies[0]!
  const rest = files.filter((f) => f !== main)
  const beside: Record<string, string> = {}
  for (const f of rest) beside[f.name] = await textOf(f)
  const text = await textOf(main)
  const size = [text, ...Object.values(beside)].reduce((n, t) => n + t.length, 0)
  if (size > mostBytes) throw new Error(`These files have ${num(size / 1e6)} MB unpacked, and the controller takes 11. Run it with \`switchyard study\`, which reads any.`)
  return rest.length > 0 ? { name: main.name, text, files: beside } : { name: main.name, text }
}

/** A file's text, unpacked where its name says that it is packed. */
async function textOf(f: File): Promise<string> {
  if (!/\.gz$/i.test(f.name)) return f.text()
  try {
    return await new Response(f.stream().pipeThrough(new DecompressionStream('gzip'))).text()
  } catch {
    throw new Error(`${f.name} cannot be unpacked.`)
  }
}
