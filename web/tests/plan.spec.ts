import { SiteClock } from '../src/lib/format'
import { horizon, peaks, placeOf } from '../src/lib/horizon'
import { changes, gapText, lacking, mean, quality, sentence, stepAt } from '../src/lib/plan'
import { bar, life, ordered, span, standing, wanted } from '../src/lib/signals'
import type { LoadPlanView, Row, ScheduleView, SignalView } from '../src/lib/aheadtypes'
import type { SiteView } from '../src/lib/types'
import { expect, test } from '@playwright/test'

const clock = new SiteClock('UTC')
const t0 = Date.parse('2026-03-01T12:00:00Z')
const hour = 3600_000
const time = (h: number) => new Date(t0 + h * hour).toISOString()

const load = (name: string, kind: string, power: Row, more: Partial<LoadPlanView> = {}): LoadPlanView => ({
  load: name, name, kind, node: 'c', rest_w: 0, most_w: 1e6, power_w: power, keep_usd_mwh: [], take_usd_mwh: [], curtailed_w: [], short_w: [], late_mwh: null, by: null, ...more,
})
/** A plan in hours, of groups that run up to 71 $/MWh. */
function plan(prices: Row, loads: LoadPlanView[], more: Partial<ScheduleView> = {}): ScheduleView {
  return {
    at: time(0), followed: true, why_not: '', method: 'milp', made_at: time(0), age_s: 0, every_s: 300, profit_usd: 1, bound_usd: 1, gap: 0, notes: [], reserves: [], past: [],
    steps: prices.map((p, i) => ({ start: time(i), length_s: 3600, price_usd_mwh: p, coincident_usd_mwh: 0, marginal_usd_mwh: p, block_w: 0, site_w: 1e6, cap_w: 4e6 })),
    loads: loads.map((l) => (l.kind === 'group' && l.keep_usd_mwh.length === 0 ? { ...l, keep_usd_mwh: prices.map(() => 71) } : l)),
    ...more,
  }
}

test('a plan is told in the order in which it comes, with its reason', () => {
  const v = plan([40, 212, 212, 40], [load('S21', 'group', [1e6, 1e6, 1e6, 1e6]), load('S19', 'group', [1e6, 0, 0, 1e6])])
  expect(sentence(v, t0, clock)).toBe('Until 13:00 all miners run. Then S19 rests until 15:00: $212/MWh expected against its $71.')
  expect(sentence(v, t0 + 1.5 * hour, clock)).toBe('Until 15:00 S21 runs, S19 rests. Then S19 runs again: $40/MWh expected, below its $71.')
  expect(sentence(v, t0 + 3.5 * hour, clock)).toBe('All miners run until 16:00, as far as is planned.')
  expect(sentence(v, t0 - 60_000, clock)).toBe(sentence(v, t0, clock)) // a plan newer than the clock
  expect(sentence(v, t0 + 4 * hour, clock)).toBe('The plan does not reach to now.')
  expect(sentence(plan([], []), t0, clock)).toBe('Nothing is planned.')
})

test('a rest that no price explains is explained by what does, or by nothing', () => {
  const rest = [load('S19', 'group', [1e6, 0, 1e6])]
  const of = (change: Partial<ScheduleView['steps'][0]>) => {
    const v = plan([40, 40, 40], rest)
    Object.assign(v.steps[1]!, change)
    return changes(v, t0)[0]!.why
  }
  expect(of({ coincident_usd_mwh: 90 })).toBe('a coincident peak may add $90/MWh')
  expect(of({ cap_w: 1.02e6, site_w: 1e6 })).toBe('the limit of 1.02 MW leaves no room')
  expect(of({ cap_w: 3e6, marginal_usd_mwh: 88 })).toBe('the limit of 3.00 MW leaves no room') // room is kept for a tenant
  expect(of({ marginal_usd_mwh: 88 })).toBe('the next MWh is worth $88 to the site, more than its $71')
  expect(of({})).toBe('')
  expect(of({ price_usd_mwh: null })).toBe('')
})

test('loads that go to rest together are one change, with each reason in its order', () => {
  const v = plan([40, 40, 212, 40, 40], [load('S21', 'group', [1e6, 0.2e6, 0.2e6, 1e6, 1e6]), load('M60', 'group', [1e6, 0, 0, 1e6, 1e6], { keep_usd_mwh: [113, 113, 113, 113, 113] }), load('S19', 'group', [1e6, 0, 0, 0, 1e6])])
  Object.assign(v.steps[1]!, { cap_w: 0.2e6, site_w: 0.2e6 })
  expect(sentence(v, t0, clock)).toBe('Until 13:00 all miners run. Then M60 and S19 rest until 15:00 or later: the limit of 200 kW leaves no room, then $212/MWh expected against their $71 to $113. Also S21 runs at 20\u00a0%.')
  expect(changes(v, t0).map((c) => [c.loads.map((s) => s.load.name).join('+'), c.stand, (c.from - t0) / hour])).toEqual([['M60+S19', 'rest', 1], ['S21', 'part', 1], ['S21+M60', 'full', 3], ['S19', 'full', 4]])
})

test('a tenant that gives back or lacks power is said first; unknown figures are none', () => {
  const v = plan([40, 40, 40], [load('Helix', 'tenant', [1e6, 0.8e6, 0.9e6], { curtailed_w: [0, 0.2e6, 0], short_w: [0, 0, 0.1e6] }), load('S19', 'group', [1e6, 0, 0])])
  expect(sentence(v, t0, clock)).toContain('Then Helix gives back 200 kW until 14:00: as the contract allows. Also S19 rests. From 14:00 Helix lacks 100 kW: there is no room for it.')
  expect(changes(v, t0).map((c) => c.stand)).toEqual(['back', 'rest', 'short'])
  expect(mean(v, [null, null, null], 0, 2)).toBeNull()
  expect(mean(v, [1, null, 4], 0, 2)).toBe(2.5)
  expect([stepAt(v, t0 - 1), stepAt(v, t0 + 1.2 * hour), stepAt(v, t0 + 3 * hour)]).toEqual([-1, 1, -1])
})

test('a share that hovers about its word does not change it each step', () => {
  const v = plan([40, 40, 40, 40, 40], [load('S19', 'group', [0.9e6, 0.84e6, 0.9e6, 0.84e6, 0.5e6])])
  expect(changes(v, t0).map((c) => [c.stand, c.from - t0])).toEqual([['part', 4 * hour]])
})

test('the quality of a plan says no more than is known', () => {
  const v = plan([1], [])
  expect([gapText(0), gapText(0.000001), gapText(0.00006), gapText(0.018), gapText(0.3)]).toEqual(['0.000', 'less than 0.001', '0.006', '1.80', '30'].map((s) => `${s}\u00a0%`))
  expect(quality({ ...v, gap: 0.001 })).toBe('within 0.10\u00a0% of the best there can be')
  expect(quality({ ...v, gap: 0 })).toBe('as good as there can be')
  expect(quality({ ...v, method: 'exact' })).toBe('proven best')
  expect(quality({ ...v, method: 'merit', gap: null })).toBe('step by step')
  expect(quality({ ...v, method: '' })).toBe('')
})

test('reserves that cannot be held are told by the stretch', () => {
  const v = plan([1, 1, 1, 1], [], { reserves: [{ name: 'RRS', held_w: [], short_w: [5, 7, 0, 2], price_usd_mw: [] }] })
  expect(lacking(v, t0).map((r) => [(r.from - t0) / hour, (r.to - t0) / hour, r.mostW])).toEqual([[0, 2, 7], [3, 4, 2]])
  expect(lacking(v, t0 + 2.5 * hour)).toHaveLength(1)
})

const site: SiteView = {
  name: 'S', timezone: 'UTC', notice: '', speed: 1, role: 'viewer',
  nodes: [{ id: 'c', name: 'Connection', parent: '', limit_w: 4e6, has_meter: true }],
  groups: [{ id: 'S19', name: 'S19', node: 'c', model: '', driver: '', devices: 1, nameplate_w: 1e6, style: '' }],
  tenants: [{ id: 'Helix', name: 'Helix', node: 'c', firm_w: 1e6, rate_usd_kw_month: 1, availability: 1 }],
}

test('the past and the plan meet at now, and a gap stays a gap', () => {
  const now = t0 / 1000 + 1800
  const v = plan([40, 50, 60], [load('Helix', 'tenant', [1e6, 1e6, null]), load('S19', 'group', [1e6, 0, 1e6])])
  const h = horizon(site, v, null, { step_s: 900, times: [now - 1800, now - 900], series: [{ key: 'tenant_w:Helix', values: [0.8e6, null] }, { key: 'group_w:S19', values: [0.5e6, 0.6e6] }] }, now, 24)
  expect(h.times.map((t) => t - now)).toEqual([-1800, -900, 0, 1800, 5400, 9000])
  const [helix, s19] = h.layers
  expect(helix!.was).toEqual([0.8, null, null, null, null, null])
  expect(s19!.was.slice(0, 3)).toEqual([0.5, 0.6, 0.6])
  expect(s19!.wasTop.slice(0, 3)).toEqual([1.3, null, null])
  expect(s19!.will).toEqual([null, null, 1, 0, 1, 1])
  expect(s19!.willTop).toEqual([null, null, 2, 1, null, null])
  expect(h.expected).toEqual([null, null, 40, 50, 60, 60])
  expect(h.low.every((x) => x === null)).toBe(true)
  expect([placeOf(h, now - 5000), placeOf(h, now), placeOf(h, now + 1e6)]).toEqual([0, 2, 4])
})

test('peaks are marked where they threaten, alike ones as one', () => {
  const v = plan([40, 40, 40, 40, 40], [])
  ;[0, 90, 80, 20, 0].forEach((usd, i) => (v.steps[i]!.coincident_usd_mwh = usd))
  const h = horizon(site, v, null, null, t0 / 1000, 24)
  expect(peaks(h).map((p) => [(p.from - t0 / 1000) / 3600, (p.to - t0 / 1000) / 3600, p.usd, p.chance])).toEqual([[1, 3, 90, null], [3, 4, 20, null]])
})

const ask = (more: Partial<SignalView>): SignalView => ({
  key: 'a/1', id: '1', source: 'a', kind: 'limit', node: 'c', power_w: 2e6, price_usd: null, within_s: null, for_s: null, ramp_w_min: null, from: time(0), to: time(1), priority: 0, emergency: false, note: '', in_force: false, overruled_by: '', overruled_why: '', ...more,
})

test('a signal stands as its life and its rivals have it', () => {
  const of = (more: Partial<SignalView>, h: number) => standing(ask(more), t0 + h * hour)
  expect([of({}, -1), of({ in_force: true }, 0.5), of({ overruled_by: 'b/2' }, 0.5), of({}, 0.5), of({ in_force: true }, 1), of({ to: null, in_force: true }, 99)]).toEqual(['coming', 'force', 'overruled', 'idle', 'ended', 'force'])
  expect(life(ask({ to: null }), t0 + hour, clock)).toBe('since 12:00, until it is taken back')
  expect(ordered([ask({ key: 'old', to: time(-1), from: time(-2) }), ask({ key: 'later', from: time(1), to: null }), ask({ key: 'now', in_force: true })], t0).map((s) => s.key)).toEqual(['now', 'later', 'old'])
  expect(wanted(ask({ power_w: null }), (n) => n)).toBe('c not above –')
  expect(wanted(ask({ kind: 'price', price_usd: -5 }), (n) => n)).toBe('\u2212$5.00/MWh')
})

test('a bar lies within its line of time', () => {
  const w = span(t0)
  expect(bar(ask({ from: time(-40), to: null }), w)).toEqual({ left: 0, width: 100, open: true })
  expect(bar(ask({ from: time(-9), to: time(-7) }), w)).toBeNull()
  expect(bar(ask({ from: time(0), to: time(3) }), w)).toEqual({ left: 20, width: 10, open: false })
})
