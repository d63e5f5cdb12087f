// Power taken back from the made-up tenants: their rights, what the schedule would call at the
// spike of each day, and the calls of the year. Like everything of the mock, by site time.

import { midnight, tenant as drawn } from './plant.mjs'

const iso = (t) => (t == null ? null : new Date(t * 1000).toISOString())

class Refused extends Error {
  constructor(status, detail) {
    super(detail)
    this.status = status
  }
}

export function curtail(m) {
  const day = midnight(m.epoch)
  const right = (tenant, name, power_w, notice, total, left, price, call) => ({ tenant, name, power_w, notice_s: notice * 60, total_s: total * 3600, left_s: left * 3600, price_usd_mwh: price, call })
  const past = (id, days, from, to, given_w, more = {}) => ({
    id, tenant: 'helix', from: day - days * 86400 + from * 3600, to: day - days * 86400 + to * 3600, power_w: 0.5e6, baseline_w: 1.42e6, told: day - days * 86400 + (from - 1) * 3600, seen: day - days * 86400 + (from - 0.9) * 3600,
    withdrawn: null, by: 'shift', why: 'Power is dear this evening', consent: 'its right to 500 kW', given_w, ...more,
  })
  const v = {
    rights: [right('helix', 'Helix AI', 0.5e6, 30, 100, 93.5, 200, 'ask'), right('beta', 'Beta Labs', 60e3, 5, 40, 40, 350, 'auto'), right('gamma', 'Gamma Research', 25e3, 0, 20, 0, 262.5, 'never')],
    calls: [
      past('helix-3', 4, 17.5, 19, 0.508e6),
      past('helix-2', 9, 18, 19, null, { withdrawn: day - 9 * 86400 + 17.4 * 3600, seen: null, why: 'A peak was expected' }),
      past('helix-1', 16, 7, 9, 0.372e6, { by: 'schedule', consent: 'its right to 500 kW' }),
    ],
    /** The sentence with which the next call is refused. */
    refuses: '',
    /** The tenants' meters tell nothing. */
    silent: false,
    /** Whether tenants do as they are asked. */
    follows: true,
    proposes: true,
    all, of, call, withdraw, acknowledge, power,
  }
  const nameOf = (id) => v.rights.find((r) => r.tenant === id)?.name ?? m.site.tenants.find((t) => t.id === id)?.name ?? id
  const state = (c, t) => (c.withdrawn != null ? 'withdrawn' : t < c.from ? 'called' : t < c.to ? 'running' : 'ended')

  function view(c) {
    const t = m.now()
    const st = state(c, t)
    const begun = st === 'ended' || (st === 'running' && t > c.from + 120)
    const given = v.silent || !begun ? null : (c.given_w ?? (v.follows ? 0.96 * c.power_w : -20e3))
    const price = v.rights.find((r) => r.tenant === c.tenant)?.price_usd_mwh ?? 0
    const base = v.silent ? null : c.baseline_w
    return {
      id: c.id, tenant: c.tenant, name: nameOf(c.tenant), state: st, from: iso(c.from), to: iso(c.to), power_w: c.power_w, down_to_w: base == null ? null : base - c.power_w, baseline_w: base, price_usd_mwh: price,
      told: iso(c.told), call_by: null, seen: iso(c.seen), withdrawn: iso(c.withdrawn), by: c.by, why: c.why, consent: c.consent, given_w: given, given_kwh: given == null ? null : (given * (Math.min(t, c.to) - c.from)) / 3.6e6, text: '',
    }
  }

  /** What the schedule would call at the spike of today and of tomorrow. */
  function proposed() {
    const t = m.now()
    const at = midnight(t)
    const out = []
    for (const begin of [at + 17.5 * 3600, at + 86400 + 17.5 * 3600])
      for (const r of v.rights) {
        const by = begin - r.notice_s
        if (r.call === 'never' || by <= t || v.calls.some((c) => c.tenant === r.tenant && c.withdrawn == null && c.from < begin + 2700 && c.to > begin)) continue
        out.push({
          id: '', tenant: r.tenant, name: r.name, state: 'proposed', from: iso(begin), to: iso(begin + 2700), power_w: r.power_w, down_to_w: null, baseline_w: null, price_usd_mwh: r.price_usd_mwh, told: null, call_by: iso(by), seen: null,
          withdrawn: null, by: '', why: 'Power is expected to cost $212/MWh from 17:30 to 18:15.', consent: '', given_w: null, given_kwh: null, text: '',
        })
      }
    return v.proposes ? out : []
  }

  function all(tenant) {
    const of = (l) => l.filter((x) => !tenant || x.tenant === tenant)
    return { at: iso(m.now()), rights: of(v.rights), proposed: of(proposed()), calls: of(v.calls.map(view)) }
  }

  /** What one tenant is told: those called or running, the next first, and not by whom. */
  function of(tenant) {
    const live = v.calls.filter((c) => c.tenant === tenant && ['called', 'running'].includes(state(c, m.now())))
    return live.sort((a, b) => a.from - b.from).map((c) => ({ ...view(c), by: '' }))
  }

  /** What the tenant draws, as it is curtailed. */
  function power(tenant, w) {
    if (v.silent && v.calls.some((c) => c.tenant === tenant && c.told > m.epoch - 7200)) return null
    const c = v.calls.find((x) => x.tenant === tenant && state(x, m.now()) === 'running')
    return c && w != null ? c.baseline_w - (v.follows ? 0.99 : -0.04) * c.power_w : w
  }

  function call(body, who) {
    if (v.refuses) throw new Refused(422, v.refuses)
    const r = v.rights.find((x) => x.tenant === body.tenant)
    const t = m.now()
    const from = body.from ? Date.parse(body.from) / 1000 : t + (r?.notice_s ?? 0)
    if (!body.consent && (!r || from < t + r.notice_s - 60)) throw new Refused(422, r ? `${r.name} is to be told ${r.notice_s / 60} min before; name a consent for less` : `${nameOf(body.tenant)} has given no right; name a consent`)
    const c = { id: `${body.tenant}-${v.calls.length + 1}`, tenant: body.tenant, from, to: Date.parse(body.to) / 1000, power_w: body.power_w ?? r.power_w, baseline_w: drawn(t), told: t, seen: null, withdrawn: null, by: who.name, why: body.why, consent: body.consent ?? `its right to ${r.power_w / 1e3} kW`, given_w: null }
    v.calls.unshift(c)
    return view(c)
  }

  const find = (id, tenant) => {
    const c = v.calls.find((x) => x.id === id && (!tenant || x.tenant === tenant))
    if (!c) throw new Refused(404, `curtailment "${id}": not found`)
    return c
  }

  function withdraw(id) {
    const c = find(id)
    if (state(c, m.now()) === 'ended') throw new Refused(409, 'it has ended already')
    c.withdrawn ??= m.now()
    return view(c)
  }

  function acknowledge(tenant, id) {
    const c = find(id, tenant)
    c.seen ??= m.now()
    return { ...view(c), by: '' }
  }

  return v
}
