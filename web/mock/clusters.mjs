// A made-up GPU cluster and its tenants for the mock: 32 nodes of eight GPUs under a limit that
// is met by caps first, then by pauses. Everything is a function of site time and a few switches.

import { zone } from './plant.mjs'

const iso = (t) => new Date(t * 1000).toISOString()
const node = (i) => `gpu-${String(i).padStart(2, '0')}`
const names = { helix: 'Helix AI', beta: 'Beta Labs', gamma: 'Gamma Research' }

/** The cluster's views over a mock; m.short: power is short, m.unreachable: its engine is silent. */
export function clusters(m) {
  const holds = new Map()
  const begin = () => m.epoch - 1500
  const kinds = { inference: 'firm', training: 'pause', batch: 'spot' }

  function jobs() {
    const now = m.now()
    const out = []
    let at = 1
    const add = (id, tenant, cls, gpus, state, extra = {}) => {
      const nodes = []
      if (state !== 'pending' && state !== 'paused') for (let g = 0; g < gpus; g += 8) nodes.push(node(at++))
      out.push({
        id: String(id), name: extra.name ?? `${cls}-${id}`, account: tenant || 'house', tenant, tenant_name: names[tenant] ?? '', queue: { inference: 'firm', training: 'flex', batch: 'spot' }[cls], class: cls, kind: kinds[cls],
        state, gpus, nodes, submitted: iso(now - 40_000), started: state === 'pending' ? null : iso(now - 30_000 + id * 40), saved: state === 'pending' ? null : extra.saved === undefined ? iso(now - 240 - (id % 7) * 190) : extra.saved,
        deadline: null, restarts: 0, ours: state === 'paused', power_w: nodes.length === 0 ? null : gpus * 650, slowed: extra.slowed ?? 0, paused_s: state === 'paused' ? 600 : 0,
        pause_left_s: cls === 'training' ? 14_400 - (state === 'paused' ? 600 : 0) : null, why: extra.why ?? '',
      })
    }
    const slow = m.short ? { slowed: 0.08, why: 'The connection may draw 2.90 MW until 18:30: its GPUs are held to 450 of 700 W.' } : {}
    add(4101, 'beta', 'inference', 32, 'running', { name: 'chat-serving', saved: null })
    add(4102, 'gamma', 'inference', 16, 'running', { name: 'embeddings', saved: null })
    add(4210, 'beta', 'training', 64, 'running', { name: 'llama-70b-ft', ...slow })
    add(4215, 'gamma', 'training', 32, 'running', { name: 'protein-fold-3', ...slow })
    add(4222, 'beta', 'training', 24, m.short ? 'paused' : 'running', m.short ? { name: 'reward-model', why: 'Power for flexible work ran out at 17:24; its work was saved before it stopped.' } : { name: 'reward-model' })
    add(4230, 'gamma', 'training', 16, m.short ? 'stopping' : 'running', m.short ? { name: 'diffusion-xl', why: 'It saves its work and stops within 45 s.' } : { name: 'diffusion-xl' })
    add(4301, '', 'batch', 24, m.short ? 'pending' : 'running', { name: 'render-night', why: m.short ? 'The queue spot starts nothing new.' : '' })
    add(4302, 'beta', 'batch', 16, 'pending', { name: 'eval-suite', why: m.short ? 'The queue spot starts nothing new.' : 'Waits for GPUs.' })
    return out
  }

  function nodes() {
    const all = jobs()
    return Array.from({ length: 32 }, (_, k) => {
      const name = node(k + 1)
      const on = all.filter((j) => j.nodes.includes(name))
      const used = on.length > 0 ? 8 : 0
      const flexible = on.some((j) => j.kind === 'pause')
      const cap = m.short && flexible ? (k % 5 === 4 ? 400 : 450) : null
      const hold = holds.get(name) ?? ''
      const state = k === 31 ? 'down' : k === 30 ? (m.short ? 'off' : 'up') : hold === 'fence' ? 'fenced' : on.some((j) => j.state === 'stopping') ? 'stopping' : 'up'
      const power = state === 'down' ? null : state === 'off' ? 22 : 900 + used * (cap ?? 655) + (8 - used) * 75
      return {
        name, model: 'H100', state, gpus: 8, gpus_used: used, power_w: power, source: state === 'down' ? '' : 'redfish', cap_w: cap, full_w: 700, lease: cap == null ? null : iso(m.now() + 95),
        use: used ? 0.93 : 0, temp_c: state === 'off' || state === 'down' ? null : used ? 62 + (k % 9) : 33, ours: state === 'off', held: hold, jobs: on.map((j) => j.id),
        note: state === 'down' ? 'Does not answer its engine since 16:52.' : state === 'off' ? 'Idle, and switched off to save 900 W.' : '',
      }
    })
  }

  function effects() {
    if (!m.short) return []
    const t = begin()
    const why = 'The connection may draw 2.90 MW until 18:30, asked by the utility; all miners rest already.'
    const e = (id, verb, target, text, since, state, power, deadline, next = '') => ({ id, verb, target, text, since: iso(since), plan: 118, why, state, power_w: power, deadline, next })
    const list = [
      e('p2', 'pause', '4230', 'pause diffusion-xl (16 GPUs)', m.now() - 20, 'acknowledged', 11_200, iso(m.now() + 55), 'node power off'),
      e('p1', 'pause', '4222', 'pause reward-model (24 GPUs)', t + 420, 'seen', 16_800, null),
      e('o1', 'off', node(31), `power off ${node(31)}, idle`, t + 300, 'seen', 880, null),
      e('c1', 'close', 'spot', 'the queue spot starts nothing new', t, 'seen', null, null),
    ]
    for (let i = 7; i <= 18; i++) list.push(e(`h${i}`, 'cap', node(i), `hold ${node(i)} to ${(i - 1) % 5 === 4 ? 400 : 450} W a GPU`, t + 30, i === 12 ? 'late' : 'seen', 2000, i === 12 ? iso(m.now() - 12) : null, i === 12 ? 'pausing its job' : ''))
    return list
  }

  function view() {
    const all = nodes()
    const list = jobs()
    const power = all.reduce((s, n) => s + (n.power_w ?? 7500), 0)
    const count = (cls) => list.filter((j) => j.class === cls).reduce((c, j) => ({ ...c, [j.state]: (c[j.state] ?? 0) + 1 }), {})
    const gpus = (cls) => list.filter((j) => j.class === cls && j.nodes.length > 0).reduce((s, j) => s + j.gpus, 0)
    const award = m.short ? 128_000 : 196_000
    return {
      id: 'gpu', name: 'GPU hall', node: 'ai', engine: 'slurm 22.05.8', at: iso(m.now() - (m.unreachable ? 340 : 2)), reachable: !m.unreachable, error: m.unreachable ? 'slurmrestd at 10.0.0.5:6820 refuses the connection' : '',
      headline: m.short
        ? 'Firm jobs run at full power; 96 GPUs of training are held to 400 to 450 W, one job is paused and one is saving its work, because the connection may draw 2.90 MW until 18:30.'
        : 'All jobs run at full power.',
      power_w: m.unreachable ? null : power, quality: m.unreachable ? 'missing' : 'measured', award_w: award, nameplate_w: 32 * (2000 + 8 * 700), firm_w: 46_000, limit_w: m.short ? 150_000 : null,
      reason: m.short ? 'Awarded what is left below the limit once firm jobs are served; the last block taken back was worth $1,040/MWh.' : 'Every block offered is worth more than power costs.',
      gpus: 256, gpus_used: all.reduce((s, n) => s + n.gpus_used, 0), nodes: all,
      classes: [
        { name: 'inference', kind: 'firm', queues: ['firm'], gpus: gpus('inference'), jobs: count('inference'), offered_w: 46_000 },
        { name: 'training', kind: 'pause', queues: ['flex'], gpus: gpus('training'), jobs: count('training'), offered_w: 92_000 },
        { name: 'batch', kind: 'spot', queues: ['spot'], gpus: gpus('batch'), jobs: count('batch'), offered_w: m.short ? 0 : 18_000 },
      ],
      effects: effects(),
      blocks: [
        { what: 'firm work, with its nodes', class: 'firm', power_w: 46_000, award_w: 46_000, value_usd_mwh: 8000 },
        { what: 'llama-70b-ft, capped', class: 'flexible', power_w: 31_000, award_w: 31_000, value_usd_mwh: 2210 },
        { what: 'protein-fold-3, capped', class: 'flexible', power_w: 15_500, award_w: 15_500, value_usd_mwh: 1980 },
        { what: 'diffusion-xl', class: 'flexible', power_w: 11_200, award_w: m.short ? 0 : 11_200, value_usd_mwh: 1040 },
        { what: 'reward-model', class: 'flexible', power_w: 16_800, award_w: m.short ? 0 : 16_800, value_usd_mwh: 960 },
        { what: 'training above its cap', class: 'flexible', power_w: 24_000, award_w: m.short ? 0 : 24_000, value_usd_mwh: 410 },
        { what: 'batch', class: 'flexible', power_w: 18_000, award_w: m.short ? 0 : 18_000, value_usd_mwh: 320 },
      ],
      queues: [
        { name: 'firm', class: 'inference', open: true, ours: false, gpus: 64, gpus_borrowed: 0 },
        { name: 'flex', class: 'training', open: true, ours: false, gpus: 0, gpus_borrowed: 0 },
        { name: 'spot', class: 'batch', open: !m.short, ours: m.short, gpus: 0, gpus_borrowed: 0 },
      ],
      notes: m.short ? [`${node(32)} does not answer its engine since 16:52 and counts as its nameplate.`] : [],
    }
  }

  function hold(id, body) {
    for (const n of body.nodes) holds.set(n, body.mode)
    m.note(body.nodes.join(', '), 'hold', `${body.mode === 'keep' ? 'kept as it is' : 'fenced'} by a person`, 'hold')
    return { devices: body.nodes.length }
  }

  return { all: () => [view()], jobs, hold, release: (n) => (holds.delete(n), {}), tenants: tenants(m, { jobs, nodes, begin }), iso }
}

/** What each tenant sees of its own. */
function tenants(m, { jobs, nodes, begin }) {
  const known = (id) => id in names
  const cloud = (id) => id !== 'helix'

  function view(id) {
    const now = m.now()
    const mine = jobs().filter((j) => j.tenant === id)
    const at = nodes().filter((n) => mine.some((j) => j.nodes.includes(n.name)))
    const capped = at.filter((n) => n.cap_w != null)
    const live = m.views.live().tenants.find((t) => t.id === id)
    const powerW = cloud(id) ? at.reduce((s, n) => s + n.power_w, 0) : m.curtail.power(id, live?.power_w ?? null)
    const why = 'The utility lets the site draw 2.90 MW until 18:30, and all mining rests already.'
    const effects = m.short && cloud(id)
      ? [{ kind: 'capped', from: iso(begin() + 30), to: null, power_w: capped.length * 2000, text: `${capped.length * 8} GPUs of your training jobs are held to 450 W, about 8 % slower. ${why}`, counts: false, excluded: 'allowed by your class training', ref: 'plan 118' }]
      : []
    return {
      id, name: names[id], site: m.site.name, timezone: zone, notice: '', at: iso(now), contract: cloud(id) ? 'GPU-2026-007' : 'MSA-2026-014', kind: cloud(id) ? 'gpu-cloud' : 'colocation',
      headline: effects.length > 0 ? `Your firm jobs run at full power; training is about 8 % slower until 18:30, because the grid is short.` : 'You have all the power that you want.',
      power_w: powerW, quality: powerW == null ? 'missing' : 'measured', reserved_w: cloud(id) ? null : 1.8e6, allowed_w: null, price_usd_mwh: cloud(id) ? null : m.views.live().price_usd_mwh,
      gpus: cloud(id) ? [{ model: 'H100', reserved: id === 'beta' ? 64 : 16, used: at.length * 8, capped: capped.length * 8 }] : [],
      nodes: at.map((n) => ({ cluster: 'gpu', name: n.name, model: n.model, state: n.state, gpus: n.gpus_used, power_w: n.power_w, cap_w: n.cap_w, full_w: n.full_w, until: n.cap_w == null ? null : iso(m.epoch + 4200), why: n.cap_w == null ? '' : why })),
      effects, sla: sla(id), curtailments: m.curtail.of(id),
    }
  }

  function sla(id) {
    if (id === 'gamma') return null
    const broken = m.broken
    return {
      month: iso(m.now()).slice(0, 7), promised: 0.9995, reached: broken ? 0.9981 : 0.99984, down_s: broken ? 480 : 40, reduced_s: broken ? 900 : 0, excluded_s: 5400, left_s: broken ? -84 : 1256, credit_usd: broken ? 10_850 : 0,
      text: broken
        ? 'You had power for 99.81 % of the time, less than the 99.95 % promised: an outage of 8 min and 15 min of too little power. $10,850.00 of this month’s rent comes back to you.'
        : 'You had power for 99.984 % of the time. Another 21 min may be lost this month before a credit is owed.',
    }
  }

  function events(id) {
    const now = m.now()
    const e = (kind, ago, length, power, text, counts, excluded, ref) => ({ kind, from: iso(now - ago), to: length == null ? null : iso(now - ago + length), power_w: power, text, counts, excluded, ref })
    const list = view(id).effects
    if (id === 'gamma') return list
    return [
      ...list,
      e('outage', 186_400, m.broken ? 480 : 40, 1.2e6, 'Your feeder tripped on an earth fault and was closed again.', true, '', 'journal 48213'),
      e('curtailment', 350_000, 5400, 0.5e6, 'The operator called the curtailment of your contract, two hours ahead.', false, 'your contract allows 100 h a year, 6 h 30 min are used', 'plan 9921'),
      e('maintenance', 900_000, 3600, null, 'The second transformer was serviced; you ran on the first.', false, 'announced seven days before', 'journal 30021'),
    ]
  }

  function usage(id, p) {
    const to = Math.floor((p.get('to') ? Date.parse(p.get('to')) / 1000 : m.now()) / 300) * 300
    const from = p.get('from') ? Date.parse(p.get('from')) / 1000 : to - 86_400
    const rows = []
    for (let t = from; t < to; t += 300) {
      const h = m.views.history(iso(t), iso(t + 300), 300).series.find((s) => s.key === `tenant_w:${id}`)
      const base = cloud(id) ? (id === 'beta' ? 92_000 : 38_000) * (1 + 0.05 * Math.sin(t / 4000)) : (h?.values[0] ?? 1.2e6)
      const held = cloud(id) && m.short && t >= begin()
      const w = held ? base * 0.78 : base
      rows.push({ start: iso(t), critical_kwh: w / 12_000, billed_kwh: (w / 12_000) * 1.03, quality: t % 21_600 === 0 ? 'estimated' : 'measured', cost_usd: (w / 12_000 / 1000) * 44, wanted_kwh: base / 12_000, short_kwh: 0, down_s: 0, reduced_s: held ? 300 : 0, peak_w: w, gpus: [], revision: 0, evidence: [] })
    }
    return { tenant: id, from: iso(from), to: iso(to), length_s: 300, missing: 0, sha256: '', rows }
  }

  function invoices(id) {
    const rent = { helix: 217_500, beta: 148_320, gamma: 41_220 }[id]
    return [
      { number: 'draft', month: '2026-02', issued: null, due: null, total_usd: rent * 0.09, draft: true, lines: 6 },
      { number: '2026-000007', month: '2026-01', issued: '2026-02-01T06:00:00Z', due: '2026-03-03T06:00:00Z', total_usd: rent * 1.31 + 0.42, draft: false, lines: 8 },
      { number: '2025-000021', month: '2025-12', issued: '2026-01-01T06:00:00Z', due: '2026-01-31T06:00:00Z', total_usd: rent * 1.28 + 0.17, draft: false, lines: 7 },
    ]
  }

  function availability(id) {
    const now = m.now()
    if (m.short) return { at: iso(now), poll_s: 60, text: 'No more power is on offer before 18:30: the grid is short.', offers: [{ from: iso(m.epoch + 4200), until: iso(m.epoch + 4200 + 3 * 3600), power_w: 0.8e6, price_usd_mwh: 58.4, firm: true, why: 'S19j Pro rests for it' }] }
    return {
      at: iso(now), poll_s: 60, text: 'You could draw 1.10 MW more until 17:30, at $52.10/MWh.',
      offers: [
        { from: iso(now - 30), until: iso(m.epoch + 7200), power_w: 1.1e6, price_usd_mwh: 52.1, firm: true, why: 'S19j Pro and M60S rest for it' },
        { from: iso(m.epoch + 7200), until: iso(m.epoch + 14_400), power_w: 0.4e6, price_usd_mwh: 118, firm: false, why: 'S21 rests for it' },
      ],
    }
  }

  const job = (j) => ({ ...j, cluster: 'gpu' })
  return { known, list: () => Object.entries(names).map(([id, name]) => ({ id, name })), view, events, usage, invoices, availability, jobs: (id) => jobs().filter((j) => j.tenant === id).map(job) }
}
