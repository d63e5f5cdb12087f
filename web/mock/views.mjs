// The API's views of the made-up plant.

import * as plant from './plant.mjs'

const iso = (t) => new Date(t * 1000).toISOString()
const usd = (v) => `${v < 0 ? '-' : ''}$${Math.abs(v).toFixed(2)}`

export function views(m) {
  const plan = (t = m.now()) => 100 + Math.floor((t - m.epoch + 86400) / 60)

  function nodes(t, x) {
    const own = { connection: x.meter, 'hall-a': x.g.s21 * 1.002, 'hall-b': x.g.m60s * 1.002, 'hall-c': x.g.braiins, ai: x.ai * 1.001 }
    const c = plant.clear(t, m.manual)
    return m.site.nodes.map((n) => {
      const w = own[n.id] ?? 0.3e6
      const missing = n.id === 'c-2' // one meter of the larger tree is gone
      const quality = missing ? 'missing' : n.has_meter ? 'measured' : 'estimated'
      const limit = plant.limitAt(n.id, t, m.manual) ?? n.limit_w
      return { id: n.id, power_w: quality === 'measured' ? w : null, est_w: w, limit_w: limit, quality, age_s: n.has_meter ? 2 : null, binding: c.binding === n.id, over_for_s: 0 }
    })
  }

  function group(g, t, x) {
    const all = plant.cells(g, t, m.manual, m.holds)
    const states = {}
    for (const c of all) states[c.state] = (states[c.state] ?? 0) + 1
    const sum = (f) => all.reduce((s, c) => s + (f(c) ?? 0), 0)
    const ph = sum((c) => c.hashrate_th_s) / 1000
    const blocks = plant.clear(t, m.manual).blocks.filter((b) => b.load === g.id && b.class === 'flexible')
    const short = blocks.find((b) => b.award_w < b.power_w * 0.99)
    return {
      id: g.id,
      power_w: x.g[g.id],
      award_w: plant.awards(t, m.manual)[g.id],
      fixed_w: g.standby * g.devices,
      hashrate_ph_s: ph,
      breakeven_usd_mwh: (plant.hashprice(t) * 0.98) / (0.024 * g.jth),
      earn_usd_hour: (ph * plant.hashprice(t) * 0.98) / 24,
      reason: (short ?? blocks[0]).reason,
      reason_code: short ? (short.reason.startsWith('limit') ? 'limit' : 'price') : 'value',
      states,
      efficiency_j_th: ph > 0 ? x.g[g.id] / ph / 1000 : null,
    }
  }

  const day = { at: 0, sum: 0 }
  function today(t) {
    const start = plant.midnight(t)
    if (day.start !== start) Object.assign(day, { start, at: start, sum: 0 })
    for (; day.at + 300 <= t; day.at += 300) {
      const x = plant.totals(day.at, m.manual)
      day.sum += (x.mining + x.hosting - (x.energy ?? 60)) / 12
    }
    return day.sum
  }

  function limits(t) {
    const start = plant.midnight(t)
    const event = { id: 'dr-7', node: 'connection', power_w: 2.9e6, from: start + 16.5 * 3600, to: start + 17.25 * 3600, by: 'utility', note: 'grid emergency', manual: false }
    return [event, ...m.manual.map((l) => ({ ...l, manual: true }))]
      .filter((l) => l.to === null || l.to > t)
      .map((l) => ({ ...l, from: iso(l.from), to: l.to === null ? null : iso(l.to), active: l.from <= t }))
  }

  function alerts(t, known) {
    const out = [{ since: iso(m.epoch - 5400), severity: 'warning', subject: 'm60s-058', text: 'Quarantined: it acknowledged sleep and kept drawing 3.4 kW. Look at its control board.' }]
    if (known === null) out.push({ since: iso(Math.floor(t / 300) * 300), severity: 'critical', subject: 'price', text: 'No price for 5 min: awards are held. Check the feed.' })
    return out
  }

  function headline(c) {
    if (c.price === null) return 'The price feed is silent: the site holds its last awards.'
    const full = c.blocks.filter((b) => b.class === 'flexible' && b.award_w > b.power_w * 0.5).length
    const all = c.blocks.filter((b) => b.class === 'flexible').length
    if (full === 0) return `Power costs ${usd(c.price)}/MWh, more than any miner earns: all mining sleeps, Helix AI runs.`
    if (c.binding !== '') return `Mining fills what Helix AI leaves under the limit of ${m.site.nodes.find((n) => n.id === c.binding).name}; the next MWh would earn ${usd(c.marginal - c.price)} more.`
    if (full === all) return `Every load is worth more than ${usd(c.price)}/MWh: the whole site runs.`
    return `At ${usd(c.price)}/MWh the efficient miners run and the others sleep.`
  }

  function live() {
    const t = m.now()
    const c = plant.clear(t, m.manual)
    const x = plant.totals(t, m.manual)
    return {
      at: iso(t),
      plan: plan(t),
      speed_held: m.speed,
      price_usd_mwh: c.price,
      price_stale: c.price === null,
      price_source: 'made-up day',
      hashprice_usd_ph_day: plant.hashprice(t),
      marginal_usd_mwh: c.marginal,
      profit_usd_hour: x.energy === null ? null : x.mining + x.hosting - x.energy,
      profit_usd_day: today(t),
      headline: headline(c),
      mode: c.price === null ? 'hold' : 'merit-order',
      nodes: nodes(t, x),
      groups: plant.groups.map((g) => group(g, t, x)),
      tenants: [{ id: 'helix', power_w: x.ai, reserve_w: x.reserve, firm_w: 1.8e6, shed_w: 0, reason: 'contracted: runs at any price' }],
      limits: limits(t),
      alerts: alerts(t, c.price),
    }
  }

  function curve() {
    const t = m.now()
    const c = plant.clear(t, m.manual)
    return { at: iso(t), price_usd_mwh: c.price, cap_w: c.cap, cleared_w: c.cleared, blocks: c.blocks }
  }

  function history(from, to, step) {
    const a = Math.ceil(Date.parse(from) / 1000 / step) * step
    const times = []
    for (let t = a; t <= Date.parse(to) / 1000 && times.length < 2000; t += step) times.push(t)
    const now = m.now()
    const rows = times.map((t) => {
      // Twenty minutes without telemetry, and the future: both are gaps.
      const gap = t > now || (plant.hourOf(t) >= 7 && plant.hourOf(t) < 7.34)
      return gap ? null : { t, ...plant.totals(t, m.manual) }
    })
    const series = (key, f) => ({ key, values: rows.map((r) => (r ? f(r) : null)) })
    return {
      step_s: step,
      times,
      series: [
        { key: 'price_usd_mwh', values: times.map((t) => (t > now ? null : plant.price(t))) },
        series('hashprice_usd_ph_day', (r) => plant.hashprice(r.t)),
        series('node_w:connection', (r) => r.meter),
        series('limit_w:connection', (r) => plant.limitAt('connection', r.t, m.manual)),
        ...plant.groups.map((g) => series(`group_w:${g.id}`, (r) => r.g[g.id])),
        series('tenant_w:helix', (r) => r.ai),
        series('reserve_w:helix', (r) => r.reserve),
        series('earn_usd_hour:mining', (r) => r.mining),
        series('earn_usd_hour:hosting', (r) => r.hosting),
        series('cost_usd_hour:energy', (r) => r.energy),
      ],
    }
  }

  function map(id) {
    const g = plant.groups.find((x) => x.id === id)
    if (!g) throw Object.assign(new Error(`no group "${id}"`), { status: 404 })
    return { group: id, cells: plant.cells(g, m.now(), m.manual, m.holds) }
  }

  function why(device, at) {
    const g = plant.groups.find((x) => device.startsWith(`${x.id}-`))
    const t = at ? Date.parse(at) / 1000 : m.now()
    const cell = g && plant.cells(g, t, m.manual, m.holds).find((c) => c.device === device)
    if (!cell) throw Object.assign(new Error(`no device "${device}"`), { status: 404 })
    const b = plant.clear(t, m.manual).blocks.filter((x) => x.load === g.id && x.class === 'flexible')
    const last = b.find((x) => x.award_w < x.power_w * 0.99) ?? b[0]
    const award = plant.awards(t, m.manual)[g.id]
    const on = (cell.power_w ?? 0) > 1000
    const step = (s, kind, text) => ({ at: s === null ? null : iso(t - s), kind, text })
    const lies = cell.state === 'quarantined'
    return {
      device,
      at: iso(t),
      answer: cell.held ? `It is ${cell.note}.` : lies ? 'It was told to sleep and did not: it is left alone and its watts count as stuck.' : on ? `It hashes because ${g.name} is ${last.reason}.` : `It sleeps because of ${last.reason}.`,
      steps: [
        step(52, 'award', `${g.name}: ${(award / 1e6).toFixed(2)} MW in plan ${plan(t)}`),
        step(52, 'reason', last.reason),
        step(51, 'plan', `plan ${plan(t)}: ${on && !lies ? 'run' : 'sleep'}, efficiency rank ${(Number(device.slice(-3)) * 97) % g.devices}`),
        step(50, 'command', on && !lies ? 'wake' : 'sleep'),
        step(49.4, 'acknowledgement', 'accepted by the miner'),
        lies ? step(null, 'confirming reading', 'it still draws 3.4 kW after three tries') : step(34, 'confirming reading', `${((cell.power_w ?? 0) / 1000).toFixed(2)} kW`),
      ],
    }
  }

  function report(date) {
    const start = Date.parse(`${date}T00:00:00-05:00`) / 1000
    const end = Math.min(start + 86400, m.now())
    if (!(start < end)) throw Object.assign(new Error(`nothing is posted for ${date}: the day lies ahead`), { status: 404 })
    const halls = Object.entries({ 'hall-a': 's21', 'hall-b': 'm60s', 'hall-c': 'braiins', ai: null }).map(([hall, g]) => ({ hall, g, energy_mwh: 0, mining_usd: 0, hosting_usd: 0, energy_usd: 0, penalty_usd: 0 }))
    let meter = 0
    for (let t = start; t < end; t += 300) {
      const x = plant.totals(t, m.manual)
      meter += x.meter / 12e6
      for (const h of halls) {
        const w = h.g ? x.g[h.g] : x.ai
        const g = plant.groups.find((y) => y.id === h.g)
        h.energy_mwh += w / 12e6
        h.energy_usd += ((w / 1e6) * (plant.price(t) ?? 30)) / 12
        if (g) h.mining_usd += ((w / g.jth / 1e3) * plant.hashprice(t) * 0.98) / 288
        else h.hosting_usd += x.hosting / 12
      }
    }
    const lines = halls.map(({ g, ...h }) => {
      const profit = h.mining_usd + h.hosting_usd - h.energy_usd
      return { ...h, profit_usd: profit, profit_usd_mwh: profit / h.energy_mwh, quality: g === 'braiins' ? 'estimated' : 'measured' }
    })
    const sum = (k) => lines.reduce((s, l) => s + l[k], 0)
    const rest = meter - sum('energy_mwh')
    const out = { date, complete: end === start + 86400, energy_mwh: meter, halls: lines, remainder_mwh: rest, remainder_percent: (100 * rest) / meter, cost_usd: sum('energy_usd'), revenue_usd: sum('mining_usd') + sum('hosting_usd'), profit_usd: sum('profit_usd') }
    out.text = [`${date}  ${meter.toFixed(3)} MWh  profit ${usd(out.profit_usd)}`, ...lines.map((l) => `${l.hall.padEnd(10)} ${l.energy_mwh.toFixed(3).padStart(9)} MWh ${usd(l.profit_usd).padStart(12)}`)].join('\n')
    return out
  }

  let seen = null
  /** Decisions since the last step. */
  function decide(t) {
    const now = plant.awards(t, m.manual)
    const before = seen ?? now
    seen = now
    const out = []
    const say = (at, subject, kind, text, code = '') => out.unshift({ at: iso(at), plan: plan(t), subject, kind, code, text })
    for (const g of plant.groups) {
      const d = now[g.id] - before[g.id]
      if (Math.abs(d) < 20e3) continue
      const block = plant.clear(t, m.manual).blocks.filter((b) => b.load === g.id && b.class === 'flexible').at(-1)
      say(t, g.id, 'award', `${(now[g.id] / 1e6).toFixed(2)} MW, ${d > 0 ? 'up' : 'down'} ${(Math.abs(d) / 1e3).toFixed(0)} kW: ${block.reason}`, 'value')
      const n = Math.min(3, Math.ceil(Math.abs(d) / g.watts))
      for (let i = 0; i < n; i++) {
        const device = `${g.id}-${String(1 + (Math.floor(t / 7) * 13 + i * 41) % g.devices).padStart(3, '0')}`
        say(t + 1, device, 'command', d > 0 ? 'wake' : 'sleep', 'value')
        say(t + 17, device, 'confirm', d > 0 ? 'drawing 3.1 kW and rising' : 'down to 28 W', 'value')
      }
    }
    m.feed = [...out, ...m.feed].slice(0, 500)
    return out.reverse()
  }

  function backfill() {
    for (let t = m.epoch - 5400; t < m.epoch; t += 60) {
      decide(t)
      if (Math.abs(t - (m.epoch - 4800)) < 30) m.feed.unshift({ at: iso(t), plan: plan(t), subject: 'm60s-058', kind: 'quarantine', code: 'quarantine', text: 'acknowledged sleep three times and kept drawing 3.4 kW' })
    }
  }

  return { plan, live, curve, history, map, why, report, backfill, step: () => decide(m.now()) }
}
