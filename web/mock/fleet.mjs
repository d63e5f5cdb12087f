// The made-up plant's miners one by one, what is wrong with them, and who is not to be heard of.

import * as plant from './plant.mjs'
import { query, sorted } from './query.mjs'

const iso = (t) => new Date(t * 1000).toISOString()
const hash = (s) => {
  let x = 0x811c9dc5
  for (const c of s) x = Math.imul(x ^ c.charCodeAt(0), 0x01000193)
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d)
  return ((x ^ (x >>> 13)) >>> 0) / 4294967296
}
const hex = (s, n) => Math.floor(hash(s) * 16 ** n).toString(16).padStart(n, '0').toUpperCase()
const makes = { antminer: ['Bitmain', 'Bitmain 2025-03-11'], whatsminer: ['MicroBT', '20241125.22'], braiins: ['Bitmain', 'Braiins OS 25.03'] }

const rules = [
  { rule: 'dead-board', severity: 'warning', lost: 0.33, text: (d) => `board 2 of 3 gives no hashes: ${d.hashrate_th_s?.toFixed(0) ?? '–'} TH/s of ${d.nameplate.toFixed(0)}`, todo: 'Reseat the board and its cables; if it stays dead, send it for repair.' },
  { rule: 'hot', severity: 'critical', lost: 0.1, text: () => 'the hottest chip is at 97 °C, above 92 °C for 14 min', todo: 'Clean the filter and look at the fans; look whether the neighbours are hot too.' },
  { rule: 'fan', severity: 'warning', lost: 0, text: () => 'fan 3 of 4 stands still', todo: 'Replace the fan before the day warms up.' },
  { rule: 'low-hashrate', severity: 'warning', lost: 0.2, text: () => 'hashes 78% of its nameplate at full power, over 6 h', todo: 'Reboot it; if it stays low, look at the boards one by one.' },
  { rule: 'wrong-pool', severity: 'critical', lost: 1, text: () => 'mines for the worker 3kz.unknown, which is not one of yours', todo: 'Set its pools again, change its password and look who reached it.' },
  { rule: 'flapping', severity: 'info', lost: 0.05, text: () => 'restarted 7 times since yesterday', todo: 'Look at its power supply and at the firmware’s own log.' },
]

export function fleet(m) {
  const silences = []
  const repaired = new Set()
  let made = 0

  function ruleOf(id, state) {
    if (state === 'fault') return rules[0]
    const n = Math.floor(hash(`${id}!`) * 160)
    return n > 0 && n < rules.length ? rules[n] : null
  }

  function row(g, c, i) {
    const nameplate = g.watts / g.jth
    const [make, firmware] = makes[g.driver]
    const dark = c.power_w === null
    const rule = ruleOf(c.device, c.state)
    const hold = m.holds.get(c.device)
    const d = {
      id: c.device, group: g.id, node: g.node, rack: `R${1 + Math.floor(i / 40)}`, position: `${1 + (Math.floor(i / 8) % 5)}-${1 + (i % 8)}`,
      address: c.address, make, model: g.model, firmware, serial: `${g.id.toUpperCase().slice(0, 3)}${hex(c.device, 7)}`,
      mac: `02:${[0, 1, 2, 3, 4].map((k) => hex(`${c.device}/${k}`, 2).toLowerCase()).join(':')}`,
      state: c.state, power_w: c.power_w, power_method: dark ? 'nameplate' : i % 9 === 0 ? 'outlet' : i % 7 === 0 ? 'curve' : 'device', power_error_w: dark ? null : i % 9 === 0 ? 12 : 70,
      hashrate_th_s: c.hashrate_th_s, hashrate_percent: dark ? null : (100 * c.hashrate_th_s) / nameplate, chip_c: c.temp_c, uptime_s: dark ? null : 3600 * 24 * (1 + 30 * hash(c.device)),
      age_s: dark ? 140 : 3, alerts: [], held: hold ? hold.by : '', maintenance: false,
    }
    Object.defineProperty(d, 'nameplate', { value: nameplate })
    Object.defineProperty(d, 'worker', { value: `millbrook.${c.device}` })
    if (rule && !repaired.has(c.device)) Object.defineProperty(d, 'rule', { value: rule })
    if (d.rule) d.alerts = [d.rule.rule]
    if (g.id === 'm60s' && i < 12) d.alerts.push(common.rule)
    d.maintenance = silences.some((s) => s.maintenance && s.test(d))
    return d
  }

  /** More miners than the maps show, for the list alone; their values stand still. */
  const more = []
  function all() {
    const t = m.now()
    const out = plant.groups.flatMap((g) => plant.cells(g, t, m.manual, m.holds).map((c, i) => row(g, c, i)))
    while (out.length + more.length < m.fleetSize) {
      const i = more.length
      const g = plant.groups[2]
      const c = { device: `yard-${String(i + 1).padStart(5, '0')}`, address: `10.9.${i >> 8}.${i & 255}`, state: 'hashing', power_w: 3000 + (i % 97), hashrate_th_s: 98 + (i % 7), temp_c: 60 + (i % 20) }
      more.push(row({ ...g, id: 'yard' }, c, i))
    }
    return [...out, ...more]
  }
  const find = (id) => {
    const d = all().find((x) => x.id === id)
    if (!d) throw Object.assign(new Error(`there is no device "${id}"`), { status: 404 })
    return d
  }

  function devices(p) {
    const test = query(p.get('q') ?? '')
    const found = sorted(all().filter(test), p.get('sort') || 'device')
    const offset = Number(p.get('offset') ?? 0)
    return { at: iso(m.now()), total: found.length, devices: found.slice(offset, offset + Number(p.get('limit') || 100)) }
  }

  function alertOf(d) {
    const silent = silences.find((s) => s.test(d) && (s.rules.length === 0 || s.rules.includes(d.rule.rule)))
    return {
      id: `${d.rule.rule}:${d.id}`, rule: d.rule.rule, severity: d.rule.severity, device: d.id, group: d.group,
      since: iso(m.epoch - 600 - 90000 * hash(`${d.id}since`)), text: d.rule.text(d), todo: d.rule.todo,
      silenced: silent ? `${silent.maintenance ? 'in maintenance' : 'silenced'} by ${silent.by}: ${silent.note}` : '',
    }
  }

  function device(id) {
    const d = find(id)
    const g = plant.groups.find((x) => x.id === d.group) ?? plant.groups[2]
    const dead = d.rule?.rule === 'dead-board'
    const dark = d.power_w === null
    const boards = [0, 1, 2].map((b) => {
      const off = dead && b === 1
      return { hashrate_th_s: dark ? null : off ? 0 : d.hashrate_th_s / (dead ? 2 : 3), chip_c: dark || off ? null : d.chip_c - b, pcb_c: dark || off ? null : d.chip_c - 14 - b, chips: dark ? null : off ? 0 : 108, working: !off && !dark }
    })
    return {
      ...d, driver: g.driver, nameplate_w: g.watts, target_w: g.style === 'mode' ? null : g.watts, intake_c: dark ? null : 24.5, profile: g.style === 'mode' ? 'normal' : '',
      profiles: g.style === 'mode' ? [{ name: 'efficient', power_w: 2900, hashrate_th_s: 178 }, { name: 'normal', power_w: g.watts, hashrate_th_s: 200 }] : [],
      acts: g.style === 'percent' ? ['reboot', 'pools', 'led', 'password'] : ['reboot', 'pools', 'led', 'password', 'profile'], style: g.style,
      boards, fans_rpm: dark ? [] : [5880, 5910, d.rule?.rule === 'fan' ? 0 : 5890, 5940],
      pools: dark ? [] : [{ url: 'stratum+tcp://eu.pool.example:3333', worker: d.worker, active: true }, { url: 'stratum+tcp://us.pool.example:3333', worker: d.worker, active: false }],
      faults: dead ? ['ERROR_POWER_LOST: power voltage rise or drop, pls check', 'chain 1 only finds 0 chips'] : [], outlet: d.power_method === 'outlet' ? `pdu-${d.rack.slice(1)}/${d.position}` : '',
      error: dark ? 'read miner: dial tcp: i/o timeout' : '', health: d.rule ? [alertOf(d)] : [],
    }
  }

  function history(id, from, to, step) {
    const d = find(id)
    const g = plant.groups.find((x) => x.id === d.group) ?? plant.groups[2]
    const t = []
    for (let x = Math.ceil(Date.parse(from) / 1000 / step) * step; x <= Date.parse(to) / 1000 && t.length < 1500; x += step) t.push(x)
    const now = m.now()
    const rank = (Number(id.slice(-3)) * 97) % g.devices
    const rows = t.map((x) => {
      // Twenty minutes without telemetry, and the future: both are gaps.
      if (x > now || (plant.hourOf(x) >= 7 && plant.hourOf(x) < 7.34)) return null
      const on = rank < (plant.awards(x, m.manual)[g.id] ?? 0) / g.watts
      const w = on ? g.watts * (0.985 + 0.03 * hash(`${id}${Math.floor(x / 120)}`)) : g.standby
      return { w, on, c: 31 + (on ? 34 : 0) + 4 * hash(`${id}${Math.floor(x / 900)}`) }
    })
    const get = (f) => rows.map((r) => (r ? f(r) : null))
    return { device: id, t, power_w: get((r) => r.w), target_w: get(() => (g.style === 'mode' ? null : g.watts)), hashrate_th_s: get((r) => (r.on ? r.w / g.jth : 0)), chip_c: get((r) => r.c), board_c: [0, 1, 2].map((b) => get((r) => r.c - 2 * b)) }
  }

  const rank = { critical: 0, warning: 1, info: 2 }
  // Many with one cause are one alert.
  const common = { id: 'stale:hall-b', rule: 'stale', severity: 'critical', device: '', group: 'm60s', text: '12 of 200 miners of m60s give no readings since they were read last at 17:02', todo: 'They hang on one switch: look at it first.' }
  function folded() {
    const s = silences.find((x) => x.query === 'group=m60s')
    return { ...common, since: iso(m.epoch - 1080), silenced: s ? `silenced by ${s.by}: ${s.note}` : '' }
  }
  const health = () => [...all().filter((d) => d.rule).map(alertOf), folded()].sort((a, b) => rank[a.severity] - rank[b.severity] || a.since.localeCompare(b.since))

  function repairs() {
    return all()
      .filter((d) => d.rule && d.rule.severity !== 'info')
      .map((d) => {
        const a = alertOf(d)
        return { device: d.id, group: d.group, rack: d.rack, position: d.position, address: d.address, model: d.model, serial: d.serial, since: a.since, seen: [a], lost_usd_day: d.rule.lost === 0 ? null : d.rule.lost * d.nameplate * 0.047 }
      })
      .sort((a, b) => (b.lost_usd_day ?? 0) - (a.lost_usd_day ?? 0))
  }

  function silence(r, who) {
    const s = { id: ++made, query: r.query ?? '', rules: r.rules ?? [], by: who.name, note: r.note, from: iso(m.now()), to: r.for_s ? iso(m.now() + r.for_s) : null, maintenance: !!r.maintenance, test: query(r.query ?? '') }
    silences.push(s)
    return view(s)
  }
  const view = ({ test, ...s }) => ({ ...s, devices: all().filter(test).length })
  function unsilence(id) {
    const i = silences.findIndex((s) => s.id === id)
    if (i < 0) throw Object.assign(new Error(`there is no silence ${id}: it has ended`), { status: 404 })
    silences.splice(i, 1)
    return {}
  }
  function done(id) {
    find(id)
    repaired.add(id)
    return {}
  }

  return { all, devices, device, history, health, repairs, silences: () => silences.map(view), silence, unsilence, done }
}
