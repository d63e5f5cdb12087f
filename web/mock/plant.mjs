// A made-up site for developing and testing the page: everything is a function of site time,
// so history and the present agree, and a test sees the same values twice.

export const zone = 'America/New_York'
const offsetS = -5 * 3600 // standard time; the mock's days lie in winter

const hash = (n) => {
  let x = (n | 0) ^ 0x9e3779b9
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return ((x ^ (x >>> 16)) >>> 0) / 4294967296
}
const noise = (t, every, seed) => {
  const i = Math.floor(t / every)
  const f = t / every - i
  const s = f * f * (3 - 2 * f)
  return hash(i * 7919 + seed) * (1 - s) + hash((i + 1) * 7919 + seed) * s
}
const between = (h, a, b) => h >= a && h < b
export const hourOf = (t) => (((t + offsetS) % 86400) + 86400) % 86400 / 3600
export const midnight = (t) => t - hourOf(t) * 3600

/** $/MWh in five-minute steps: a winter day with a negative night, a spike and a gap. */
export function price(t) {
  const s = Math.floor(t / 300) * 300
  const h = hourOf(s)
  if (between(h, 9.5, 9.75)) return null
  if (between(h, 2.75, 4.25)) return -6 - 22 * noise(s, 900, 3)
  if (between(h, 17.5, 18.25)) return 240 + 1900 * Math.max(0, noise(s, 600, 4) - 0.35)
  const daily = 36 + 14 * Math.sin(((h - 9) / 24) * 4 * Math.PI) + 10 * Math.sin(((h - 14) / 24) * 2 * Math.PI)
  return daily + 16 * (noise(s, 300, 5) - 0.4)
}

const tenantFirm = 1.8e6
export function tenant(t) {
  const slow = 0.52 + 0.42 * noise(t, 5400, 11)
  const jump = noise(t, 2400, 12) > 0.72 ? 0.22 : 0
  return Math.min(tenantFirm, tenantFirm * Math.min(1, slow + jump) + 9000 * (hash(Math.floor(t / 5)) - 0.5))
}
const reserve = (t) => Math.min(tenantFirm, tenant(t) + 160e3)

export const groups = [
  { id: 's21', name: 'S21', node: 'hall-a', model: 'Antminer S21', driver: 'antminer', devices: 240, style: 'mode', watts: 3500, jth: 17.5, standby: 28, blocks: 3 },
  { id: 'm60s', name: 'M60S', node: 'hall-b', model: 'WhatsMiner M60S', driver: 'whatsminer', devices: 200, style: 'percent', watts: 3441, jth: 18.5, standby: 35, blocks: 4 },
  { id: 'braiins', name: 'S19j Pro, Braiins', node: 'hall-c', model: 'Antminer S19j Pro', driver: 'braiins', devices: 160, style: 'watts', watts: 3068, jth: 29.5, standby: 22, blocks: 5 },
]
export const hashprice = (t) => 47.2 + 2.2 * noise(t, 7200, 21)
const fee = 0.02
const breakeven = (g, t, k = 0) => (hashprice(t) * (1 - fee)) / (0.024 * g.jth * (1 + 0.03 * k))

export function site(extra = 0) {
  const nodes = [
    { id: 'connection', name: 'Grid connection', parent: '', limit_w: 3.6e6, has_meter: true },
    { id: 'hall-a', name: 'Hall A', parent: 'connection', limit_w: 0.9e6, has_meter: true },
    { id: 'hall-b', name: 'Hall B', parent: 'connection', limit_w: 0.72e6, has_meter: true },
    { id: 'hall-c', name: 'Hall C', parent: 'connection', limit_w: null, has_meter: false },
    { id: 'ai', name: 'AI hall', parent: 'connection', limit_w: 2.0e6, has_meter: true },
  ]
  // A larger tree for the layout: transformers with containers below them.
  for (let i = 0; i < extra; i++) {
    const tx = `tx-${1 + Math.floor(i / 5)}`
    if (i % 5 === 0) nodes.push({ id: tx, name: `Transformer ${1 + i / 5}`, parent: 'connection', limit_w: 2.5e6, has_meter: true })
    else nodes.push({ id: `c-${i}`, name: `Container ${i}`, parent: tx, limit_w: 0.6e6, has_meter: i % 2 === 0 })
  }
  return {
    name: 'Millbrook Station',
    timezone: zone,
    notice: 'Made-up prices: a rehearsal',
    nodes,
    groups: groups.map((g) => ({ id: g.id, name: g.name, node: g.node, model: g.model, driver: g.driver, devices: g.devices, nameplate_w: g.watts * g.devices, style: g.style })),
    tenants: [{ id: 'helix', name: 'Helix AI', node: 'ai', firm_w: tenantFirm, rate_usd_kw_month: 125, availability: 0.9995 }],
  }
}

const rated = { connection: 3.6e6, 'hall-a': 0.9e6, 'hall-b': 0.72e6, ai: 2.0e6 }
const share = { 'hall-a': 's21', 'hall-b': 'm60s', 'hall-c': 'braiins' }

/** The strictest limit on a node at t: its rating, the afternoon's emergency, the operator's. */
export function limitAt(node, t, manual) {
  let w = rated[node] ?? null
  if (node === 'connection' && between(hourOf(t), 16.5, 17.25)) w = 2.9e6
  for (const l of manual) if (l.node === node && t >= l.from && (l.to === null || t < l.to)) w = w === null ? l.power_w : Math.min(w, l.power_w)
  return w
}

/** Merit order for one moment: blocks by value, awarded while worth the price and under caps. */
export function clear(t, manual) {
  const p = price(t)
  const bid = p ?? price(t - 1800) ?? 40
  const cap = limitAt('connection', t, manual)
  const blocks = [{ load: 'helix', class: 'firm', power_w: reserve(t), award_w: 0, value_usd_mwh: 10000, reason: 'contracted load' }]
  for (const g of groups) {
    blocks.push({ load: g.id, class: 'fixed', power_w: g.standby * g.devices, award_w: 0, value_usd_mwh: 9000, reason: 'standby of the group' })
    for (let k = 0; k < g.blocks; k++)
      blocks.push({ load: g.id, class: 'flexible', power_w: ((g.watts - g.standby) * g.devices) / g.blocks, award_w: 0, value_usd_mwh: breakeven(g, t, k), reason: '' })
  }
  blocks.sort((a, b) => b.value_usd_mwh - a.value_usd_mwh)
  let room = cap * 0.99
  const used = {}
  let binding = ''
  let marginal = bid
  for (const b of blocks) {
    const node = Object.keys(share).find((n) => share[n] === b.load)
    const own = node ? limitAt(node, t, manual) : null
    let w = b.power_w
    if (b.class === 'flexible' && b.value_usd_mwh < bid) {
      w = 0
      b.reason = `price $${bid.toFixed(0)} is above its value $${b.value_usd_mwh.toFixed(0)}`
    } else if (b.class === 'flexible') {
      w = Math.max(0, Math.min(w, room, own === null ? Infinity : own * 0.99 - (used[node] ?? 0)))
      b.reason = w < b.power_w * 0.99 ? `limit of ${room < w + 1 ? 'the grid connection' : `${node}`}` : `worth $${b.value_usd_mwh.toFixed(0)}, price $${bid.toFixed(0)}`
      if (w < b.power_w * 0.99) {
        binding ||= room < w + 1 ? 'connection' : node
        if (room < w + 1) marginal = Math.max(marginal, b.value_usd_mwh)
      }
    }
    b.award_w = w
    room -= w
    if (node) used[node] = (used[node] ?? 0) + w
  }
  return { price: p, cap, blocks, binding, marginal, cleared: blocks.reduce((s, b) => s + b.award_w, 0) }
}

const cache = new Map()
/** Awards of the groups at t, remembered by five seconds for as long as limits do not change. */
export function awards(t, manual) {
  const key = `${Math.floor(t / 5)}:${manual.map((l) => `${l.id}${l.to}`).join()}`
  const known = cache.get(key)
  if (known) return known
  const c = clear(Math.floor(t / 5) * 5, manual)
  const a = Object.fromEntries(groups.map((g) => [g.id, c.blocks.filter((b) => b.load === g.id).reduce((s, b) => s + b.award_w, 0)]))
  if (cache.size > 20000) cache.clear()
  cache.set(key, a)
  return a
}

const awake = (g, award) => Math.floor(Math.max(0, award - g.standby * g.devices) / (g.watts - g.standby) + 0.02)

/** Every miner of a group at t. */
export function cells(g, t, manual, holds) {
  const now = awake(g, awards(t, manual)[g.id])
  const before = awake(g, awards(t - 40, manual)[g.id])
  return Array.from({ length: g.devices }, (_, i) => {
    const device = `${g.id}-${String(i + 1).padStart(3, '0')}`
    // Ranked by a fixed shuffle, so that a sleeping part of a hall looks like one.
    const rank = (i * 97) % g.devices
    const on = rank < now
    const was = rank < before
    let state = on ? (was ? 'hashing' : 'starting') : was ? 'stopping' : 'sleeping'
    let note = ''
    const odd = hash(i * 31 + g.devices)
    const hold = holds.get(device)
    if (odd > 0.994) [state, note] = ['fault', 'board 2 gives no hashes']
    else if (i === 57 && g.id === 'm60s') [state, note] = ['quarantined', 'acknowledged sleep three times and kept drawing']
    else if (odd < 0.004) [state, note] = ['stale', 'no answer for 2 min']
    else if (i === g.devices - 1 && g.id === 'braiins') [state, note] = ['unknown', 'never answered']
    if (hold) [state, note] = ['held', `held ${hold.mode === 'sleep' ? 'asleep' : 'awake'} by ${hold.by}${hold.note ? `: ${hold.note}` : ''}`]
    const run = hold ? (hold.mode === 'run' ? 1 : 0) : { hashing: 1, starting: 0.55, stopping: 0.35, fault: 0.66, quarantined: 1 }[state] ?? 0
    const dark = state === 'stale' || state === 'unknown'
    const w = dark ? null : g.standby + run * (g.watts - g.standby) * (0.985 + 0.03 * hash(i + Math.floor(t / 15)))
    return {
      device,
      address: `10.0.${groups.indexOf(g) + 1}.${i + 1}`,
      state,
      power_w: w,
      hashrate_th_s: dark ? null : run === 0 ? 0 : (w - g.standby) / g.jth,
      temp_c: dark ? null : 31 + run * 34 + 4 * hash(i),
      held: !!hold,
      note,
    }
  })
}

/** Power of a group at t without its single miners: the award, reached over a minute. */
export function groupPower(g, t, manual) {
  const a = awards(t, manual)[g.id]
  const b = awards(t - 40, manual)[g.id]
  return (a * 0.7 + b * 0.3) * (0.996 + 0.008 * hash(Math.floor(t / 10) + g.devices))
}

export function totals(t, manual) {
  const g = Object.fromEntries(groups.map((x) => [x.id, groupPower(x, t, manual)]))
  const ai = tenant(t)
  const meter = (ai + g.s21 + g.m60s + g.braiins) * 1.004
  const mining = groups.reduce((s, x) => s + ((Math.max(0, g[x.id] - x.standby * x.devices) / x.jth / 1e3) * hashprice(t) * (1 - fee)) / 24, 0)
  const hosting = (tenantFirm / 1e3) * (125 / 730) + (ai / 1e6) * (price(t) ?? 30)
  const p = price(t)
  return { g, ai, reserve: reserve(t), meter, mining, hosting, energy: p === null ? null : (meter / 1e6) * p }
}
