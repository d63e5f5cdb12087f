// Investment studies of the made-up site: two that are done, and whatever a test has run.

class Refusal extends Error {
  constructor(status, detail, errors) {
    super(detail)
    this.status = status
    this.errors = errors
  }
}

const halls = ['hall-a', 'hall-b', 'hall-c', 'hall-d']
const m = 1e6
const spread = (mean, low = 0.45, high = 1.6) => {
  const a = Math.abs(mean)
  return { mean, p10: mean - (1 - low) * a, p50: mean * 0.97, p90: mean + (high - 1) * a, standard_error: a / 120 }
}

const kinds = {
  mine: { title: 'Mine on', npv: [9.2, -1.8, 3.1, 14.4] },
  host: { title: 'Host for a GPU cloud from 2027-07', npv: [61, 54, 38, 27], irr: 0.187, equity: 0.312, dscr: 1.38, capex: 168, debt: 126 },
  'own-gpus': { kind: 'cloud', title: 'Rent out GPUs from 2027-10', npv: [34, 29, 12, -8.5], irr: 0.141, equity: 0.172, dscr: 1.11, capex: 462, debt: 230 },
  'sell-hall': { kind: 'sell', title: 'Sell the hall in 2027-06', npv: [31, 26, 22, 34] },
  elsewhere: { kind: 'greenfield', title: 'Build elsewhere from 2027-01, mining on', npv: [18, 8, 11, 21], irr: 0.118, dscr: 1.29, capex: 290, debt: 190 },
}

function option(hall, i, name, lift) {
  const k = kinds[name]
  const npv = k.npv[i] * m * (name === 'mine' ? 1 : lift)
  const over = npv - kinds.mine.npv[i] * m
  return {
    hall, name, kind: k.kind ?? name, title: k.title, start: '2027-01', npv_usd: name === 'mine' ? spread(npv, -1.2, 3.4) : spread(npv), npv_over_mining_usd: spread(over), npv_expected_usd: npv * 1.03, npv_equity_usd: npv * 0.8,
    beats_mining: name === 'mine' ? 0 : over > 0 ? 0.83 : 0.21, loses: npv > 0 ? 0.12 : 0.61, project_irr: k.irr ?? null, equity_irr: k.equity ?? null, no_irr: k.irr ? '' : 'no money is put in',
    payback_months: k.irr ? 61 : null, min_dscr: k.dscr ?? null, mean_dscr: k.dscr ? k.dscr + 0.2 : null, debt_usd: (k.debt ?? 0) * m, capex_usd: (k.capex ?? 0) * m, peak_equity_usd: ((k.capex ?? 0) - (k.debt ?? 0)) * m, critical_mw: k.irr ? 20 : 0,
  }
}

export function report(name, { lift = 1, seed = 1, paths = 10000 } = {}) {
  const options = halls.flatMap((h, i) => Object.keys(kinds).map((k) => option(h, i, k, lift)))
  const picks = ['host', 'host', 'host', 'sell-hall']
  const best = halls.map((hall, i) => {
    const o = options.find((x) => x.hall === hall && x.name === picks[i])
    return { hall, option: o.name, title: o.title, start: o.start, npv_usd: o.npv_usd, npv_over_mining_usd: o.npv_over_mining_usd.mean, alone: i === 3 ? 'hosting from 2027-01' : '' }
  })
  const sum = best.reduce((n, b) => n + b.npv_usd.mean, 0)
  return {
    study: name, site: 'Millbrook Station', version: 'mock', start: '2027-01', months: 144, seed, paths, discount_pct: 10, equity_discount_pct: 14, utility_mw: 100,
    given: Array.from({ length: 84 }, (_, i) => ({ path: `k${i}`, value: '1', from: 'assumption', source: '' })), assumed: Array.from({ length: 37 }, (_, i) => ({ path: `a${i}`, value: '1', from: 'assumption', source: '' })),
    findings: [
      { hall: 'hall-a', option: 'own-gpus', kind: 'covenant', month: '2031-03', text: 'the DSCR falls to 1.02, below the covenant of 1.15' },
      { hall: 'hall-c', option: 'host', kind: 'loan', text: 'the loan is bound by its DSCR of 1.38, not by 75 % of cost' },
      { hall: 'hall-d', option: 'mine', kind: 'irr', text: 'the project has no internal rate of return: nothing is invested' },
      { kind: 'input', text: 'no backtest was given: curtailment is taken to capture 90 % of what perfect foresight does' },
    ],
    options, best,
    portfolio: {
      npv_usd: spread(sum), npv_mining_on_usd: spread(24.9 * m), equity_irr: { pct: 29.4 }, project_irr: { pct: 18.2 }, peak_equity_usd: 126 * m, debt_usd: 378 * m, capex_usd: 504 * m, min_dscr: 1.38, bound_by: ['one hall under construction at a time'],
    },
    flexible: halls.slice(0, 2).map((hall, i) => ({ hall, option_value_usd: i ? 0.1 * m : 2.4 * m, option_error_usd: 0.2 * m, plan: 'host from 2027-07', fixed_plan_is_best: i > 0, today: i ? 'host' : 'wait' })),
    tornado: [
      { input: 'Rent', low: '117 $/kW-month', high: '143 $/kW-month', npv_low_usd: sum * 0.55, npv_high_usd: sum * 1.4, basis: '10 % either way' },
      { input: 'Cost of building', low: '5.0 $M/MW', high: '11.0 $M/MW', npv_low_usd: sum * 1.3, npv_high_usd: sum * 0.6, basis: 'P10 and P90 of the file' },
      { input: 'Bitcoin price', low: 'x 0.6', high: 'x 1.6', npv_low_usd: sum * 0.93, npv_high_usd: sum * 1.08, basis: 'one standard deviation' },
    ],
    scenarios: [], regret: { decisions: [], scenarios: [], usd: [], worst_usd: [], least: 0 },
  }
}

export function studies(mock) {
  const at = (s) => new Date((mock.epoch - s) * 1000).toISOString()
  const kept = new Map()
  const view = (id, r, more) => ({
    id, name: r.study, site: r.site, note: '', by: 'shift', asked: at(86400), state: 'done', stage: '', done: 0, total: 0, error: '', interrupted: 0, took_s: 14.2, start: r.start, months: r.months, paths: r.paths, seed: r.seed,
    npv_usd: r.portfolio.npv_usd, npv_mining_on_usd: r.portfolio.npv_mining_on_usd, best: r.best.map(({ hall, title, npv_usd, npv_over_mining_usd }) => ({ hall, title, npv_usd, npv_over_mining_usd })), findings: r.findings.length, assumed: r.assumed.length, workbook: false, size_bytes: 1, ...more,
  })
  const put = (id, r, more) => kept.set(id, { view: view(id, r, more), report: r })
  put('20260202-171500-as-measured', report('Millbrook, as measured'), { asked: at(3600), workbook: true })
  put('20260128-090000-rents-fall', report('Rents fall by a fifth', { lift: 0.8 }), { asked: at(5 * 86400), by: 'guest' })

  const one = (id) => {
    const s = kept.get(id)
    if (!s) throw new Refusal(404, `study "${id}": not found`)
    return s
  }
  return {
    put,
    list: () => [...kept.values()].map((s) => s.view).sort((a, b) => b.asked.localeCompare(a.asked)),
    report: (id) => one(id).report,
    page: (id, form, others) => {
      const names = [id, ...others].map((i) => one(i).view.name)
      return form === 'yaml' ? `study: ${names[0]}\n` : `<!doctype html><title>${names.join(' and ')}</title><h1>${names.join(' and ')}</h1>`
    },
    add(body, who) {
      if (!/^years:/m.test(body.text)) {
        throw new Refusal(422, 'the file has 2 faults', [
          { message: `${body.name}:1:1: years is missing; write how many, from 1 to 40`, location: 'years' },
          { message: `${body.name}:12:1: unknown key "yeers"; did you mean "years"?`, location: 'yeers' },
        ])
      }
      const name = /^study: *(.*)$/m.exec(body.text)?.[1] ?? 'A study'
      const id = `20260203-172000-${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`
      const r = report(name)
      put(id, r, { state: 'running', stage: 'paths', done: 0, total: r.paths, asked: at(0), by: who.name, npv_usd: null, npv_mining_on_usd: null, best: [], findings: 0 })
      return kept.get(id).view
    },
    /** Brings what runs so far. */
    reach(id, done) {
      const s = one(id)
      s.view = done >= s.view.total ? view(id, s.report, { asked: s.view.asked }) : { ...s.view, done }
    },
    fail(id, error) {
      const s = one(id)
      s.view = { ...s.view, state: 'failed', error }
    },
    /** As a controller shows it that stopped while it ran; runs: whether it has begun anew. */
    interrupt(id, times, runs) {
      const s = one(id)
      s.view = { ...s.view, state: runs ? 'running' : 'interrupted', stage: runs ? 'paths' : '', done: 0, interrupted: times }
    },
    remove(id) {
      one(id)
      kept.delete(id)
      return {}
    },
  }
}
