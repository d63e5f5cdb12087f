// What a plan will do, in words: who runs until when, what changes and why. Pure.

import type { LoadPlanView, Row, ScheduleView } from './aheadtypes'
import { num, power, usd, type SiteClock } from './format'

/** How a load stands in a stretch of the plan. */
export type Stand = 'full' | 'part' | 'rest' | 'back' | 'short'

export interface Stretch {
  load: LoadPlanView
  stand: Stand
  from: number // ms
  to: number // ms; the plan's end where it stays so
  open: boolean // it lasts beyond the plan
  first: number // index of its first step
  last: number
  share: number // of what it can draw, 0 to 1
  backW: number // mean of what a tenant gives back, or lacks
}

const start = (v: ScheduleView, i: number) => Date.parse(v.steps[i]!.start)
const end = (v: ScheduleView, i: number) => start(v, i) + v.steps[i]!.length_s * 1000

/** The index of the step that holds a moment; -1 outside the plan. */
export function stepAt(v: ScheduleView, ms: number): number {
  const i = v.steps.findLastIndex((s) => Date.parse(s.start) <= ms)
  return i >= 0 && ms < end(v, i) ? i : -1
}

/** The mean of a row over steps, by their length; null where nothing is known. */
export function mean(v: ScheduleView, row: Row, first: number, last: number): number | null {
  let sum = 0
  let of = 0
  for (let i = first; i <= last; i++) {
    const w = row[i]
    if (w == null) continue
    sum += w * v.steps[i]!.length_s
    of += v.steps[i]!.length_s
  }
  return of > 0 ? sum / of : null
}

/** A group that hovers about nine tenths must not change its word with each step. */
function standOf(l: LoadPlanView, i: number, before: Stand | null): Stand {
  if ((l.short_w[i] ?? 0) > 0) return 'short'
  if ((l.curtailed_w[i] ?? 0) > 0) return 'back'
  if (l.kind === 'tenant') return 'full'
  const share = shareOf(l, i)
  if (share < (before === 'rest' ? 0.13 : 0.07)) return 'rest'
  return share > (before === 'full' ? 0.82 : 0.88) ? 'full' : 'part'
}

function shareOf(l: LoadPlanView, i: number): number {
  const span = l.most_w - l.rest_w
  return span > 0 ? ((l.power_w[i] ?? 0) - l.rest_w) / span : 0
}

/** The plan of one load as stretches in which it stands alike. */
export function stretches(v: ScheduleView, l: LoadPlanView): Stretch[] {
  const out: Stretch[] = []
  for (let i = 0; i < v.steps.length; i++) {
    const stand = standOf(l, i, out.at(-1)?.stand ?? null)
    const s = out.at(-1)
    if (s?.stand === stand) s.last = i
    else out.push({ load: l, stand, from: start(v, i), to: 0, open: false, first: i, last: i, share: 0, backW: 0 })
  }
  for (const s of out) {
    s.to = end(v, s.last)
    s.open = s.last === v.steps.length - 1
    const w = mean(v, l.power_w, s.first, s.last) ?? 0
    s.share = l.most_w > l.rest_w ? (w - l.rest_w) / (l.most_w - l.rest_w) : 1
    s.backW = mean(v, s.stand === 'short' ? l.short_w : l.curtailed_w, s.first, s.last) ?? 0
  }
  return out
}

const dollars = (x: number) => usd(x, 0)

type Cause = 'price' | 'peak' | 'limit' | 'marginal'

/** What keeps a load that runs up to keep from its full power in a step; null where the figures do not say. */
function causeOf(x: ScheduleView['steps'][0], keep: number, widest: number): Cause | null {
  const { price_usd_mwh: price, marginal_usd_mwh: marginal, cap_w: cap, site_w: site } = x
  const peak = x.coincident_usd_mwh ?? 0
  if (price == null) return null
  if (price > keep) return 'price'
  if (price + peak > keep) return 'peak'
  // Room may be kept for a tenant: then the next MWh is dear although the meter will be below,
  // and where the limit is narrower than elsewhere in the plan, it is why.
  const dear = marginal != null && marginal > price + peak + 0.5
  if (cap != null && site != null && (site > cap * (dear ? 0.75 : 0.97) || (dear && cap < 0.98 * widest))) return 'limit'
  return marginal != null && marginal > keep ? 'marginal' : null
}

/** The prices up to which loads run, "$71" or "$71 to $116". */
function ranged(keeps: number[]): string {
  const [lo, hi] = [Math.min(...keeps), Math.max(...keeps)]
  return dollars(lo) === dollars(hi) ? dollars(lo) : `${dollars(lo)} to ${dollars(hi)}`
}

/** Why loads stand so in a stretch that they share, in a few words; empty where the figures do not say. */
export function why(v: ScheduleView, all: Stretch[]): string {
  const s = all[0]!
  if (s.stand === 'back') return 'as the contract allows'
  if (s.stand === 'short') return 'there is no room for it'
  const last = Math.min(...all.map((x) => x.last))
  const keeps = all.map((x) => mean(v, x.load.keep_usd_mwh, s.first, last)).filter((k): k is number => k != null)
  if (keeps.length < all.length) return ''
  const steps = v.steps.slice(s.first, last + 1)
  const its = `${all.length > 1 ? 'their' : 'its'} ${ranged(keeps)}`
  const keep = Math.max(...keeps)
  if (s.stand === 'full') {
    const price = mean(v, v.steps.map((x) => x.price_usd_mwh), s.first, s.first)
    return price != null && price <= keep ? `${dollars(price)}/MWh expected, below ${its}` : ''
  }
  const widest = Math.max(0, ...v.steps.map((x) => x.cap_w ?? 0))
  const causes = steps.map((x) => causeOf(x, keep, widest))
  const of = (c: Cause, pick: (x: ScheduleView['steps'][0]) => number | null) => steps.filter((_, i) => causes[i] === c).map((x) => pick(x) ?? 0)
  const words: Record<Cause, () => string> = {
    price: () => {
      const p = of('price', (x) => x.price_usd_mwh)
      return `${Math.min(...p) > 0.8 * Math.max(...p) ? '' : 'up to '}${dollars(Math.max(...p))}/MWh expected against ${its}`
    },
    peak: () => `a coincident peak may add ${dollars(Math.max(...of('peak', (x) => x.coincident_usd_mwh)))}/MWh`,
    limit: () => `the limit of ${power(Math.min(...of('limit', (x) => x.cap_w)))} leaves ${s.stand === 'rest' ? 'no' : 'no more'} room`,
    marginal: () => `the next MWh is worth ${dollars(Math.max(...of('marginal', (x) => x.marginal_usd_mwh)))} to the site, more than ${its}`,
  }
  // In the order in which they come: what begins a rest is not always what prolongs it.
  const order = [...new Set(causes.filter((c): c is Cause => c != null))]
  return order.slice(0, 2).map((c) => words[c]()).join(', then ')
}

/** Loads that change alike at one time. */
export interface Change {
  from: number
  to: number // where the first of them ends
  later: boolean // others last longer
  open: boolean
  stand: Stand
  was: Stand // rest, if any of them rested
  loads: Stretch[]
  all: boolean // every load that can be moved
  why: string
}

const weight: Record<Stand, number> = { short: 0, back: 1, rest: 2, part: 3, full: 4 }

/** What is planned to change after now, in time's order. */
export function changes(v: ScheduleView, now: number): Change[] {
  const by = new Map<string, Change>()
  const movable = v.loads.filter((l) => l.kind !== 'tenant').length
  for (const l of v.loads) {
    const all = stretches(v, l)
    all.forEach((s, i) => {
      const was = all[i - 1]?.stand
      if (!was || s.from <= now) return
      // One that runs in part has its own share, and a tenant its own watts.
      const alone = s.stand === 'rest' || (s.stand === 'full' && l.kind !== 'tenant') ? '' : l.load
      const key = [s.from, s.stand, alone].join()
      const c = by.get(key) ?? { from: s.from, to: s.to, later: false, open: true, stand: s.stand, was, loads: [], all: false, why: '' }
      c.loads.push(s)
      c.later ||= s.to !== c.to
      c.to = Math.min(c.to, s.to)
      c.open &&= s.open
      if (was === 'rest') c.was = was
      by.set(key, c)
    })
  }
  const out = [...by.values()].sort((a, b) => a.from - b.from || weight[a.stand] - weight[b.stand])
  for (const c of out) {
    c.all = c.loads.length === movable && movable > 1
    c.why = why(v, c.loads)
  }
  return out
}

function list(names: string[]): string {
  if (names.length > 3) return `${names.length} groups`
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

const what = (loads: LoadPlanView[]) => (loads.every((l) => l.kind === 'group') ? 'miners' : 'flexible loads')

export const who = (c: Change) => (c.all ? `all ${what(c.loads.map((s) => s.load))}` : list(c.loads.map((s) => s.load.name)))

/** What the loads of a change do from then on, without their names. */
export function doing(c: Change): string {
  const e = c.loads.length > 1 ? '' : 's'
  const s = c.loads[0]!
  switch (c.stand) {
    case 'rest':
      return `rest${e}`
    case 'part':
      return `run${e} at ${num(s.share * 100)}\u00a0%`
    case 'back':
      return `give${e} back ${power(s.backW)}`
    case 'short':
      return `lack${e} ${power(s.backW)}`
    case 'full':
      return s.load.kind === 'tenant' ? 'has all its power again' : `run${e} again`
  }
}

/** How the miners and works stand at a step: "all miners run", "S19 rests, the others run". */
function standing(v: ScheduleView, i: number): string {
  const movable = v.loads.filter((l) => l.kind !== 'tenant')
  const by: Record<Stand, string[]> = { full: [], part: [], rest: [], back: [], short: [] }
  for (const l of movable) {
    const s = stretches(v, l).find((x) => x.first <= i && i <= x.last)
    if (s) by[s.stand].push(l.name)
  }
  if (movable.length === 0) return 'there is nothing to move'
  if (by.full.length === movable.length) return `all ${what(movable)} run`
  if (by.rest.length === movable.length) return `all ${what(movable)} rest`
  const say = (names: string[], verb: string, after = '') => names.length > 0 && `${list(names)} ${verb}${names.length === 1 ? 's' : ''}${after}`
  return [say(by.full, 'run'), say(by.part, 'run', ' in part'), say(by.rest, 'rest')].filter(Boolean).join(', ')
}

/** A change that a person should know of: a flicker of one group's part is not. */
function matters(c: Change): boolean {
  if (c.stand === 'short' || c.stand === 'back' || c.stand === 'rest' || c.was === 'rest') return true
  return c.stand === 'part' && c.loads[0]!.share < 0.7 && c.to - c.from >= 20 * 60_000
}

const capital = (s: string) => s.slice(0, 1).toUpperCase() + s.slice(1)

/** Until when a change holds, in words; empty where the plan does not say. */
export function until(c: Change, clock: SiteClock): string {
  return c.open || c.stand === 'full' ? '' : `until ${clock.moment(c.to, c.from)}${c.later ? ' or later' : ''}`
}

/** A change as a sentence without its time: "S19 rests until 18:30: $212/MWh expected against its $71". */
export function told(c: Change, clock: SiteClock): string {
  const to = until(c, clock)
  return `${who(c)} ${doing(c)}${to && ` ${to}`}${c.why ? `: ${c.why}` : ''}`
}

/** The first change that a person should know of; null where none is planned. */
export function next(v: ScheduleView, now: number): Change | null {
  return changes(v, now).find(matters) ?? null
}

/** The plan in a few short sentences: how it stands, the next changes, and what takes power away after them. */
export function sentence(v: ScheduleView, at: number, clock: SiteClock): string {
  if (v.steps.length === 0) return 'Nothing is planned.'
  // A plan may be newer than the live values that say what time it is.
  const now = Math.max(at, start(v, 0))
  const i = stepAt(v, now)
  if (i < 0) return 'The plan does not reach to now.'
  const stands = standing(v, i)
  const all = changes(v, now).filter(matters)
  const first = all[0]
  if (!first) return `${capital(stands)} until ${clock.moment(end(v, v.steps.length - 1), now)}, as far as is planned.`
  const beside = all.filter((c) => c !== first && c.from === first.from).map((c) => `also ${who(c)} ${doing(c)}`)
  const out = [`Until ${clock.moment(first.from, now)} ${stands}`, `then ${told(first, clock)}`, ...beside]
  const later = all.find((c) => c.from > first.from && c.from - now < 24 * 3600_000 && c.stand !== 'full' && c.stand !== 'part')
  if (later) out.push(`from ${clock.moment(later.from, now)} ${told(later, clock)}`)
  return out.map((x) => `${capital(x)}.`).join(' ')
}

/** What is sold as reserve and not held: stretches in which the plan breaks a promise. */
export function lacking(v: ScheduleView, now: number): { name: string; from: number; to: number; mostW: number }[] {
  const out: { name: string; from: number; to: number; mostW: number }[] = []
  for (const r of v.reserves) {
    let open = false
    for (let i = 0; i < v.steps.length; i++) {
      const w = r.short_w[i] ?? 0
      const s = out.at(-1)
      if (w <= 0 || end(v, i) <= now) open = false
      else if (open && s) Object.assign(s, { to: end(v, i), mostW: Math.max(s.mostW, w) })
      else {
        out.push({ name: r.name, from: start(v, i), to: end(v, i), mostW: w })
        open = true
      }
    }
  }
  return out
}

/** What each method is, and what it is worth. */
export const methods: Record<string, { name: string; hint: string; fallen: boolean }> = {
  exact: { name: 'exact', hint: 'Nothing couples the groups now, so each one’s best path was found and proven.', fallen: false },
  milp: { name: 'optimal within its gap', hint: 'A mixed-integer program over all loads, limits and charges; machines are counted whole in the first hour.', fallen: false },
  lp: { name: 'relaxed', hint: 'The program with whole machines found no plan in time. Its relaxation is used, rounded: usually within a few tenths of a percent.', fallen: true },
  merit: { name: 'step by step', hint: 'Each step is cleared by itself in merit order. Restarts, demand charges and reserves are not weighed against each other.', fallen: true },
  static: { name: 'safe limit', hint: 'All flexible load rests until a plan can be made again. Contracted load is served.', fallen: true },
}

/** How good the plan is, in a few words. */
export function quality(v: ScheduleView): string {
  const m = methods[v.method]
  if (!m) return ''
  if (v.method === 'exact') return 'proven best'
  if (v.gap == null) return m.name
  if (v.gap < 5e-6 && !m.fallen) return 'as good as there can be'
  if (m.fallen) return `${m.name}, within ${gapText(v.gap)}`
  return `within ${gapText(v.gap)} of the best there can be`
}

/** A share as a percentage with the digits that matter. */
export function gapText(gap: number): string {
  const p = gap * 100
  if (p > 0 && p < 0.001) return 'less than 0.001\u00a0%'
  return `${num(p, p < 0.1 ? 3 : p < 10 ? 2 : 0)}\u00a0%`
}
