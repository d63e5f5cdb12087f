// The past hours and the planned ones on one axis of time, as the pictures of the schedule need
// them. What was drawn and what is planned are rows of their own. Pure.

import type { ForecastView, Row, ScheduleView } from './aheadtypes'
import { sum } from './trend'
import type { HistoryView, SiteView } from './types'

export interface Layer {
  id: string
  name: string
  kind: string
  was: Row // MW, really drawn
  will: Row // MW, planned
  wasTop: Row // stacked
  willTop: Row
}

export interface Horizon {
  times: number[] // seconds; those before now are the history's, those after it the plan's
  now: number
  layers: Layer[] // from the bottom up
  meter: Row // MW
  planned: Row // MW, of the past and of the hours ahead
  limit: Row
  block: Row // MW bought ahead
  held: Row // MW sold as reserve
  price: Row // $/MWh, what it was
  expected: Row
  low: Row // one in ten is below
  high: Row // nine in ten are
  dayAhead: Row
  marginal: Row
  coincident: Row // $/MWh that the chance of a peak adds
  chance: Row // 0 to 1
  keep: { id: string; name: string; row: Row }[]
}

/** A lookup of the stretch that holds a moment, and of its value. */
function stepped<T extends { start: string; length_s: number }>(steps: T[]): (t: number) => T | undefined {
  const at = steps.map((s) => Date.parse(s.start) / 1000)
  return (t) => {
    let i = at.length - 1
    while (i >= 0 && at[i]! > t) i--
    const s = steps[i]
    return s && t < at[i]! + s.length_s ? s : undefined
  }
}

const scaled = (v: number | null | undefined) => (v == null ? null : v / 1e6)

function axis(v: ScheduleView | null, f: ForecastView | null, h: HistoryView | null, now: number, hours: number): number[] {
  const end = now + hours * 3600
  const steps = v && v.steps.length > 0 ? v.steps : (f?.steps ?? [])
  const starts = steps.map((s) => Date.parse(s.start) / 1000)
  const last = steps.at(-1)
  if (last) starts.push(starts.at(-1)! + last.length_s)
  const ahead = starts.filter((t) => t > now && t <= end)
  // A site that was started an hour ago has no picture of the hours before.
  const begun = (h?.times ?? []).findIndex((_, i) => h!.series?.some((s) => s.values[i] != null))
  const behind = begun < 0 ? [] : h!.times!.slice(begun).filter((t) => t < now)
  return [...behind, now, ...ahead]
}

export function horizon(site: SiteView, v: ScheduleView | null, f: ForecastView | null, h: HistoryView | null, now: number, hours: number): Horizon {
  const times = axis(v, f, h, now, hours)
  const cut = times.indexOf(now)
  const past = new Map((h?.series ?? []).map((s) => [s.key, new Map((h?.times ?? []).map((t, i) => [t, s.values[i] ?? null]))]))
  // The newest reading is carried to now: the picture has no hole where it matters most.
  const was = (key: string, unit = 1): Row => {
    const of = past.get(key)
    const row = times.map((t, i) => (of && i < cut ? of.get(t) ?? null : null)).map((x) => (x == null ? null : x / unit))
    if (cut > 0) row[cut] = row[cut - 1] ?? null
    return row
  }
  const step = stepped(v?.steps ?? [])
  const plan = stepped(v?.past ?? [])
  const exp = stepped(f?.steps ?? [])
  const index = new Map((v?.steps ?? []).map((s, i) => [s, i]))
  const last = times.length - 1
  // The last moment only closes the step before it.
  const lookup = <T>(of: (t: number) => T | undefined, i: number) => of(i === last && i > cut ? times[i]! - 1 : times[i]!)
  const will = (f: (s: NonNullable<ReturnType<typeof step>>, i: number) => number | null | undefined): Row =>
    times.map((_, i) => {
      const s = i >= cut ? lookup(step, i) : undefined
      return s ? (f(s, index.get(s)!) ?? null) : null
    })
  const foreseen = (pick: (s: NonNullable<ReturnType<typeof exp>>) => number | null): Row =>
    times.map((_, i) => {
      const s = i >= cut ? lookup(exp, i) : undefined
      return s ? pick(s) : null
    })

  const root = site.nodes[0]?.id ?? ''
  const rows = layersOf(site, v).map((l) => ({ ...l, was: was(`${l.kind}_w:${l.id}`, 1e6), will: will((_s, i) => scaled(l.plan[i])) }))
  const layers = stack(rows.filter((l) => l.was.some((x) => x != null) || l.will.some((x) => x != null)))
  const limits = will((s) => scaled(s.cap_w))
  const before = was(`limit_w:${root}`, 1e6)
  const ahead = will((s) => scaled(s.site_w))
  const held = sum((v?.reserves ?? []).map((r) => will((_s, i) => scaled(r.held_w[i] ?? 0))), times.length)
  return {
    times,
    now,
    layers,
    meter: was(`node_w:${root}`, 1e6),
    planned: times.map((t, i) => (i < cut ? scaled(plan(t)?.site_w) : ahead[i]!)),
    limit: times.map((_, i) => (i < cut ? before[i]! : (limits[i] ?? before[i] ?? null))),
    block: will((s) => scaled(s.block_w)),
    held,
    price: was('price_usd_mwh'),
    expected: will((s) => s.price_usd_mwh).map((x, i) => x ?? foreseen((s) => s.p50_usd_mwh)[i]!),
    low: foreseen((s) => s.p10_usd_mwh),
    high: foreseen((s) => s.p90_usd_mwh),
    dayAhead: foreseen((s) => s.day_ahead_usd_mwh),
    marginal: will((s) => s.marginal_usd_mwh),
    coincident: will((s) => s.coincident_usd_mwh),
    chance: foreseen((s) => s.peak_chance),
    keep: thresholds(v).map((l) => ({ id: l.load, name: l.name, row: will((_s, i) => l.keep_usd_mwh[i]) })),
  }
}

/** The loads from the bottom up: as the plan has them, or the site where there is no plan. */
function layersOf(site: SiteView, v: ScheduleView | null): { id: string; name: string; kind: string; plan: Row }[] {
  if (v && v.loads.length > 0) return v.loads.map((l) => ({ id: l.load, name: l.name, kind: l.kind, plan: l.power_w }))
  const of = (kind: string) => (x: { id: string; name: string }) => ({ id: x.id, name: x.name || x.id, kind, plan: [] })
  return [...site.tenants.map(of('tenant')), ...site.groups.map(of('group'))]
}

function stack(rows: { id: string; name: string; kind: string; was: Row; will: Row }[]): Layer[] {
  const top = (a: Row, b: Row | undefined): Row => a.map((x, i) => (x == null ? null : b ? (b[i] == null ? null : x + b[i]!) : x))
  const out: Layer[] = []
  for (const r of rows) {
    const below = out.at(-1)
    out.push({ ...r, wasTop: top(r.was, below?.wasTop), willTop: top(r.will, below?.willTop) })
  }
  return out
}

/** The groups that the price makes rest or run in this plan: theirs are the prices worth showing. */
function thresholds(v: ScheduleView | null) {
  const moves = (v?.loads ?? []).filter((l) => {
    if (l.kind !== 'group' || l.keep_usd_mwh.length === 0) return false
    const w = l.power_w.filter((x): x is number => x != null)
    return w.length > 0 && Math.max(...w) - Math.min(...w) > 0.3 * (l.most_w - l.rest_w)
  })
  return moves.slice(0, 4)
}

export interface Peak {
  from: number // seconds
  to: number
  chance: number | null // the greatest in it
  usd: number
}

/** Where a coincident peak is likely enough to mark: a stretch is as likely throughout. */
export function peaks(h: Horizon): Peak[] {
  const out: Peak[] = []
  let open = false
  for (let i = 0; i < h.times.length - 1; i++) {
    const usd = h.coincident[i] ?? 0
    const chance = h.chance[i] ?? null
    const [from, to] = [h.times[i]!, h.times[i + 1]!]
    const s = out.at(-1)
    if (usd < 1 && (chance ?? 0) < 0.02) open = false
    else if (open && s && Math.abs(usd - s.usd) <= 0.3 * Math.max(usd, s.usd)) {
      Object.assign(s, { to, chance: chance == null ? s.chance : Math.max(s.chance ?? 0, chance), usd: Math.max(s.usd, usd) })
    } else {
      out.push({ from, to, chance, usd })
      open = true
    }
  }
  return out
}

/** The place on the axis that holds a moment. */
export function placeOf(h: Horizon, t: number): number {
  const i = h.times.findLastIndex((x) => x <= t)
  return Math.max(0, Math.min(i, h.times.length - (t >= h.now ? 2 : 1)))
}
