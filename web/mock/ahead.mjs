// The hours ahead of the made-up plant: what is planned, what the grid asks, what is expected.
// Like everything of it, a function of site time.

import * as plant from './plant.mjs'

const iso = (t) => new Date(t * 1000).toISOString()
const between = (h, a, b) => h >= a && h < b
const horizonS = 36 * 3600

/** $/MWh that is expected: the day without its noise. */
function expected(t) {
  const h = plant.hourOf(t)
  if (between(h, 2.75, 4.25)) return -14
  if (between(h, 17.5, 18.25)) return 212
  return 36 + 14 * Math.sin(((h - 9) / 24) * 4 * Math.PI) + 10 * Math.sin(((h - 14) / 24) * 2 * Math.PI) + 2
}
const chance = (t) => {
  const h = plant.hourOf(t)
  return between(h, 18.25, 19) ? 0.24 : between(h, 17, 18.25) || between(h, 19, 19.5) ? 0.06 : 0
}
const perChance = 400 // what a certain peak would cost, told per MWh

/** A mean over a stretch, of what is only known at moments. */
function mean(f, t, length) {
  const n = Math.max(1, Math.min(12, Math.round(length / 300)))
  let s = 0
  for (let i = 0; i < n; i++) s += f(t + ((i + 0.5) * length) / n)
  return s / n
}

/** Five minutes for an hour, quarters for three, then hours. */
function grid(t) {
  const out = []
  let at = Math.floor(t / 300) * 300
  const end = at + horizonS
  while (at < end) {
    const lead = at - t
    const length = lead < 3600 || at % 900 ? 300 : lead < 4 * 3600 || at % 3600 ? 900 : 3600
    out.push({ t: at, length })
    at += length
  }
  return out
}

export function ahead(m) {
  const breakeven = (g, t, k) => (plant.hashprice(t) * 0.98) / (0.024 * g.jth * (1 + 0.03 * k))
  const tenant = (t) => 1.8e6 * (0.71 + 0.07 * Math.sin(t / 9000))

  /** What is planned for a moment: merit order against what is expected. */
  function moment(t) {
    const ai = tenant(t)
    const cost = expected(t) + chance(t) * perChance
    const back = m.curtails && between(plant.hourOf(t), 17.5, 18.25) ? 0.3e6 : 0
    let room = plant.limitAt('connection', t, m.manual) * 0.99 - ai - 0.16e6
    const power = {}
    for (const g of plant.groups) {
      power[g.id] = g.standby * g.devices
      for (let k = 0; k < g.blocks; k++) {
        const w = Math.max(0, Math.min(((g.watts - g.standby) * g.devices) / g.blocks, room))
        if (breakeven(g, t, k) < cost || m.planned === 'static') continue
        power[g.id] += w
        room -= w
      }
    }
    const site = (ai - back + Object.values(power).reduce((a, b) => a + b, 0)) * 1.004
    return { ai: ai - back, back, power, site, marginal: room < 1 ? Math.max(cost, 66) : cost }
  }

  function stepOf({ t, length }) {
    const of = (f) => mean(f, t, length)
    return {
      start: iso(t),
      length_s: length,
      price_usd_mwh: of(expected),
      coincident_usd_mwh: of(chance) * perChance,
      marginal_usd_mwh: of((x) => moment(x).marginal),
      block_w: between(plant.hourOf(t), 7, 22) ? 1.5e6 : 0,
      site_w: of((x) => moment(x).site),
      cap_w: of((x) => plant.limitAt('connection', x, m.manual)),
    }
  }

  function loads(steps) {
    const by = (f) => steps.map(({ t, length }) => mean(f, t, length))
    const none = { keep_usd_mwh: [], take_usd_mwh: [], curtailed_w: [], short_w: [], late_mwh: null, by: null }
    return [
      { ...none, load: 'helix', name: 'Helix AI', kind: 'tenant', node: 'ai', rest_w: 0, most_w: 1.8e6, power_w: by((t) => moment(t).ai), curtailed_w: by((t) => moment(t).back), short_w: steps.map(() => 0) },
      ...plant.groups.map((g) => ({
        ...none,
        load: g.id,
        name: g.name,
        kind: 'group',
        node: g.node,
        rest_w: g.standby * g.devices,
        most_w: g.watts * g.devices,
        power_w: by((t) => moment(t).power[g.id]),
        keep_usd_mwh: by((t) => breakeven(g, t, 0) + 3),
        take_usd_mwh: by((t) => breakeven(g, t, 0) - 3),
      })),
    ]
  }

  /** Sold from six to ten; what rests cannot drop, and the one who buys it is told before. */
  function reserve(steps) {
    const sold = (t) => (between(plant.hourOf(t), 18, 22) ? 0.4e6 : 0)
    const free = (t) => plant.groups.reduce((s, g) => s + moment(t).power[g.id] - g.standby * g.devices, 0)
    const of = (f) => steps.map(({ t, length }) => mean(f, t, length))
    return { name: 'RRS', held_w: of((t) => Math.min(sold(t), free(t))), short_w: of((t) => (m.oversold ? Math.max(0, sold(t) - free(t)) : 0)), price_usd_mw: of((t) => (sold(t) ? 12 : 4)) }
  }

  const unplanned = { method: '', made_at: null, age_s: null, every_s: 300, profit_usd: null, bound_usd: null, gap: null, notes: [], steps: [], loads: [], reserves: [], past: [] }

  function schedule() {
    const t = m.now()
    const at = iso(t)
    if (m.planned === 'off') return { ...unplanned, at, followed: false, why_not: 'The schedule is switched off in the site file: each interval is cleared by itself.' }
    if (m.planned === 'none') return { ...unplanned, at, followed: false, why_not: 'There is no plan yet: the first one comes with the first price.' }
    const made = Math.floor(t / 300) * 300 + 4
    const steps = grid(made)
    const bound = { milp: 11_904.2, lp: 11_904.2, merit: null, static: null }[m.planned]
    const past = []
    for (let p = Math.floor(t / 900) * 900 - 24 * 3600; p < t - 900; p += 900) past.push({ start: iso(p), length_s: 900, site_w: mean((x) => moment(x).site, p, 900), price_usd_mwh: mean(expected, p, 900) })
    return {
      at,
      followed: m.planned !== 'static',
      why_not: m.planned === 'static' ? 'No price has come for 15 min: all flexible load rests until one does.' : '',
      method: m.planned,
      made_at: iso(made),
      age_s: t - made,
      every_s: 300,
      profit_usd: bound === null ? 9_870 : m.planned === 'lp' ? bound - 214 : bound - 0.7,
      bound_usd: bound,
      gap: bound === null ? null : m.planned === 'lp' ? 214 / bound : 0.7 / bound,
      notes: m.planned === 'lp' ? ['The program with whole machines gave no plan within its bound on work; its relaxation is used, rounded.'] : m.notes,
      steps: steps.map(stepOf),
      loads: loads(steps),
      reserves: [reserve(steps)],
      past,
    }
  }

  function forecast() {
    const t = m.now()
    const tomorrow = plant.midnight(t) + 86400
    const known = tomorrow + (plant.hourOf(t) >= 13 ? 86400 : 0)
    const steps = grid(t).map(({ t: at, length }) => {
      const p50 = mean(expected, at, length)
      const wide = (3 + 0.16 * Math.abs(p50)) * (0.4 + Math.min(1, (at - t) / 14400))
      return {
        start: iso(at),
        length_s: length,
        day_ahead_usd_mwh: at < known ? mean(expected, Math.floor(at / 3600) * 3600, 3600) * 0.94 : null,
        p10_usd_mwh: p50 - wide,
        p50_usd_mwh: p50,
        p90_usd_mwh: p50 + wide * (p50 > 100 ? 4 : 1.4),
        peak_chance: mean(chance, at, length),
      }
    })
    const notes = plant.hourOf(t) < 13 ? ['There are no day-ahead prices for tomorrow yet: they come about 13:00.'] : []
    return { at: iso(t), made_at: iso(Math.floor(t / 300) * 300), source: 'made-up day, day-ahead and real-time', notes, steps }
  }

  /** What the grid asks today; more is added by tests. */
  function asked(t) {
    const day = plant.midnight(t)
    const at = (h) => day + h * 3600
    const none = { node: '', power_w: null, price_usd: null, within_s: null, for_s: null, ramp_w_min: null, priority: 1, emergency: false, note: '' }
    return [
      { ...none, source: 'utility', id: 'dr-7', kind: 'limit', node: 'connection', power_w: 2.9e6, from: at(16.5), to: at(17.25), priority: 0, emergency: true, note: 'grid emergency: reserves are short' },
      { ...none, source: 'desk', id: 'target', kind: 'limit', node: 'connection', power_w: 3.1e6, from: at(16.5), to: at(17.25), note: 'target 80 of 100' },
      { ...none, source: 'desk', id: 'rrs', kind: 'reserve', power_w: 0.4e6, price_usd: 12, within_s: 10, for_s: 3600, from: at(18), to: at(22), note: 'responsive reserve' },
      { ...none, source: 'utility', id: 'cpp-2', kind: 'price', price_usd: 240, from: at(17.5), to: at(18.25), note: 'critical peak price' },
      ...m.asks.map((s) => ({ ...none, ...s })),
    ]
  }

  function signals() {
    const t = m.now()
    const all = asked(t).filter((s) => s.to === null || s.to > t - 6 * 3600)
    const runs = (s) => s.from <= t && (s.to === null || s.to > t)
    const key = (s) => `${s.source}/${s.id}`
    const over = (s) => all.find((o) => o !== s && s.kind === 'limit' && o.kind === 'limit' && o.node === s.node && o.power_w < s.power_w && o.from < (s.to ?? Infinity) && (o.to ?? Infinity) > Math.max(s.from, t))
    const heard = (s) => iso(t - s)
    return {
      at: iso(t),
      sources: [
        { name: 'utility', protocol: 'openadr', address: 'https://vtn.millbrook.example/openadr3/3.1.0', state: 'ok', heard_at: heard(11), problem: '', problem_at: null, lost_after_s: 300, lost: 'what it said last holds until each ends' },
        { name: 'desk', protocol: 'mqtt', address: 'ssl://broker.millbrook.example:8883', state: 'ok', heard_at: heard(2), problem: '', problem_at: null, lost_after_s: 120, lost: 'all that it asked for is released' },
        { name: 'campus', protocol: 'dsx', address: 'ssl://flex.example:8883', state: 'lost', heard_at: heard(2580), problem: 'connect to ssl://flex.example:8883: the certificate has expired', problem_at: heard(40), lost_after_s: 600, lost: 'the connection is limited to 3.6 MW' },
        { name: 'rtu', protocol: 'modbus', address: '10.0.0.5:1502', state: 'never', heard_at: null, problem: '', problem_at: null, lost_after_s: 0, lost: '' },
      ],
      signals: all
        .map((s) => {
          const o = over(s)
          return { key: key(s), ...s, from: iso(s.from), to: s.to === null ? null : iso(s.to), in_force: runs(s) && !s.released && !(o && runs(o)), overruled_by: o ? key(o) : '', overruled_why: o ? 'stricter' : s.released ? 'its source is lost, and what it said is released' : '' }
        })
        .sort((a, b) => a.from.localeCompare(b.from)),
      refused: m.refused,
    }
  }

  return { schedule, forecast, signals }
}
