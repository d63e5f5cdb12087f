// Rollouts over the made-up plant: their waves go by the wall clock, one every second or so.

import { query } from './query.mjs'

const waveMs = 1300
const verbs = { reboot: 'reboot', pools: 'set the pools of', led: 'set the light of', password: 'change the password of', profile: 'set the profile of', sleep: 'put to sleep', wake: 'wake' }
const refuse = (text) => Object.assign(new Error(text), { status: 422 })
const count = (items) => items.reduce((m, i) => ({ ...m, [i.state]: (m[i.state] ?? 0) + 1 }), {})

export function rollouts(m, fleet) {
  const list = []

  function plan(r) {
    if (!verbs[r.action]) throw refuse(`action: "${r.action}" is no action`)
    if (!r.query && !(r.devices?.length > 0)) throw refuse('no devices are chosen: give a query or devices')
    const test = query(r.query ?? '')
    const only = r.devices && new Set(r.devices)
    const wave = r.wave || 50
    let n = 0
    return fleet.all().filter((d) => test(d) && (!only || only.has(d.id))).map((d) => {
      const skip =
        d.maintenance ? 'in maintenance'
        : d.state === 'stale' || d.state === 'unknown' ? 'does not answer'
        : r.action === 'profile' && d.group === 'm60s' ? 'its firmware has no profiles'
        : d.held && (r.action === 'sleep' || r.action === 'wake') ? `held by ${d.held}`
        : ''
      return skip ? { device: d.id, wave: 0, state: 'skipped', reason: skip, at: null } : { device: d.id, wave: 1 + Math.floor(n++ / wave), state: 'pending', reason: '', at: null }
    })
  }

  function preview(r) {
    const items = plan(r)
    const todo = items.filter((i) => i.wave > 0)
    const by = {}
    for (const i of items) if (i.wave === 0) by[i.reason] = (by[i.reason] ?? 0) + 1
    const waves = Math.max(0, ...todo.map((i) => i.wave))
    const text = todo.length === 0 ? 'Nothing would be done.' : `Would ${verbs[r.action]} ${todo.length} devices in ${waves} wave${waves === 1 ? '' : 's'}; ${items.length - todo.length} are left out.`
    return { do: todo.length, skip: items.length - todo.length, waves, text, why: Object.entries(by).map(([reason, devices]) => ({ reason, devices })).sort((a, b) => b.devices - a.devices), items }
  }

  function begin(r, who, ago = 0) {
    const items = plan(r)
    if (!items.some((i) => i.wave > 0)) throw refuse('none of these devices can be told so')
    const on = r.query ? `all that match ${r.query}` : `${items.length} device${items.length === 1 ? '' : 's'}`
    const o = { id: list.length + 1, action: r.action, text: `${verbs[r.action]} ${on}`, by: who.name, note: r.note ?? '', begun: new Date(m.now() * 1000 - ago * 1000).toISOString(), ended: null, state: 'running', reason: '', total: items.length, items, request: r, last: Date.now(), elapsed: 0 }
    list.unshift(o)
    return view(o)
  }

  /** Brings a rollout to the present. */
  function step(o, ms = Date.now() - o.last) {
    o.last = Date.now()
    if (o.state !== 'running') return
    o.elapsed += ms
    const at = new Date(m.now() * 1000).toISOString()
    for (const i of o.items) {
      if (i.wave === 0 || i.state === 'confirmed' || i.state === 'failed') continue
      const age = o.elapsed - (i.wave - 1) * waveMs
      if (age > waveMs * 0.75) {
        // Every ninth refuses, so that there is something to see.
        const bad = o.total > 8 && Number(i.device.slice(-2)) % 9 === 4
        Object.assign(i, bad ? { state: 'failed', reason: 'refused: the firmware answered E23, busy', at } : { state: 'confirmed', at })
      } else if (age > 0 && i.state === 'pending') Object.assign(i, { state: 'told', at })
    }
    const failed = o.items.filter((i) => i.state === 'failed').length
    if (o.items.every((i) => !['pending', 'told'].includes(i.state))) Object.assign(o, { state: 'done', ended: at })
    else if (o.request.stop_after && failed >= o.request.stop_after) Object.assign(o, { state: 'stopped', ended: at, reason: `stopped by itself: ${failed} failures` })
  }

  function view(o, whole = true) {
    step(o)
    const { last, elapsed, items, ...rest } = o
    return { ...rest, counts: count(items), ...(whole ? { items } : {}) }
  }
  const find = (id) => {
    const o = list.find((x) => x.id === Number(id))
    if (!o) throw Object.assign(new Error(`there is no rollout ${id}`), { status: 404 })
    return o
  }
  function steer(id, what, who) {
    const o = find(id)
    step(o)
    if (o.ended) throw refuse(`rollout ${id} has ended`)
    if (what === 'pause') Object.assign(o, { state: 'paused', reason: `paused by ${who.name}` })
    else if (what === 'resume') Object.assign(o, { state: 'running', reason: '' })
    else {
      Object.assign(o, { state: 'stopped', reason: `stopped by ${who.name}`, ended: new Date(m.now() * 1000).toISOString() })
      for (const i of o.items) if (i.state === 'told') Object.assign(i, { state: 'confirmed' })
    }
    return {}
  }

  // One of the past, so that the list is not empty.
  begin({ action: 'reboot', query: 'model=WhatsMiner* and rack=R2', wave: 10, note: 'after the firmware update' }, { name: 'night' }, 40_000)
  step(list[0], 60_000)

  return { preview, begin, steer, one: (id) => view(find(id)), all: () => list.map((o) => view(o, false)) }
}
