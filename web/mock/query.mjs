// The mock's reading of a query: plain words, or comparisons joined by and, or, not and brackets.

const fields = {
  device: (d) => d.id, group: (d) => d.group, node: (d) => d.node, rack: (d) => d.rack, position: (d) => d.position,
  address: (d) => d.address, mac: (d) => d.mac, serial: (d) => d.serial, make: (d) => d.make, model: (d) => d.model,
  firmware: (d) => d.firmware, state: (d) => d.state, worker: (d) => d.worker, power: (d) => d.power_w,
  hashrate: (d) => d.hashrate_th_s, percent: (d) => d.hashrate_percent, chip: (d) => d.chip_c, uptime: (d) => d.uptime_s, age: (d) => d.age_s,
  alert: (d) => d.alerts, held: (d) => d.held, maintenance: (d) => (d.maintenance ? 'yes' : 'no'),
}

const fault = (text) => Object.assign(new Error(text), { status: 422 })
const glob = (v) => new RegExp(`${v === '' ? '^' : '(^|\\s)'}${v.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`, 'i')

function tokens(q) {
  const out = []
  const re = /\s*(?:([()])|(!=|<=|>=|=|<|>)|"((?:[^"\\]|\\.)*)"|([^\s()=<>!"]+))/gy
  for (let m = null, at = 0; at < q.trimEnd().length; at = re.lastIndex) {
    re.lastIndex = at
    m = re.exec(q)
    if (!m) throw fault(`query: "${q.slice(at).trim()[0]}" at ${at + 1} is not understood`)
    const text = m[1] ?? m[2] ?? m[3] ?? m[4]
    out.push({ text, kind: m[1] ? 'bracket' : m[2] ? 'op' : m[3] !== undefined ? 'quoted' : 'word', at: re.lastIndex - (m[3] !== undefined ? text.length + 2 : text.length) })
  }
  return out
}

const words = (d) => [d.id, d.address, d.mac, d.serial, d.worker, d.rack, d.model, d.firmware].join('\n').toLowerCase()

/** A test for a device. */
export function query(q) {
  const t = tokens(q)
  if (t.length === 0) return () => true
  if (!t.some((x) => x.kind === 'op')) {
    const all = q.toLowerCase().split(/\s+/).filter(Boolean)
    return (d) => all.every((w) => words(d).includes(w))
  }
  let i = 0
  const is = (w) => t[i]?.kind === 'word' && t[i].text.toLowerCase() === w
  const any = () => {
    let a = every()
    while (is('or')) {
      i++
      const [l, r] = [a, every()]
      a = (d) => l(d) || r(d)
    }
    return a
  }
  const every = () => {
    let a = one()
    while (i < t.length && !is('or') && t[i].text !== ')') {
      if (is('and')) i++
      const [l, r] = [a, one()]
      a = (d) => l(d) && r(d)
    }
    return a
  }
  const one = () => {
    const x = t[i++]
    if (!x) throw fault('query: a condition is missing at the end')
    if (x.text === '(') {
      const a = any()
      if (t[i++]?.text !== ')') throw fault(`query: the bracket "(" at ${x.at + 1} is not closed`)
      return a
    }
    if (x.kind === 'word' && x.text.toLowerCase() === 'not') {
      const a = one()
      return (d) => !a(d)
    }
    const op = t[i]
    if (op?.kind !== 'op') return (d) => words(d).includes(x.text.toLowerCase())
    const get = fields[x.text]
    if (!get) throw fault(`query: there is no field "${x.text}" at ${x.at + 1}; the fields are ${Object.keys(fields).join(', ')}`)
    i++
    const v = t[i++]
    if (!v || v.kind === 'op') throw fault(`query: a value is missing after "${x.text}${op.text}"`)
    return compare(x.text, get, op.text, v)
  }
  const test = any()
  if (i < t.length) throw fault(`query: "${t[i].text}" at ${t[i].at + 1} is not understood here`)
  return test
}

function compare(name, get, op, v) {
  const number = /^(-?[\d.]+)(%?)$/.exec(v.text)
  if (['<', '<=', '>', '>='].includes(op)) {
    if (!number) throw fault(`query: "${v.text}" at ${v.at + 1} is not a figure, and ${name} is compared with ${op}`)
    const of = number[2] && name === 'hashrate' ? fields.percent : get
    const n = Number(number[1])
    return (d) => of(d) != null && { '<': of(d) < n, '<=': of(d) <= n, '>': of(d) > n, '>=': of(d) >= n }[op]
  }
  const want = glob(v.text)
  const same = (d) => [get(d)].flat().some((x) => want.test(String(x ?? '')))
  return op === '=' ? same : (d) => !same(d)
}

/** Puts devices in the order of a field, "-" before it for descending; unknown comes last. */
export function sorted(list, sort) {
  const down = sort.startsWith('-')
  const name = sort.replace(/^-/, '') || 'device'
  const get = fields[name]
  if (!get) throw fault(`sort: there is no field "${name}"; the fields are ${Object.keys(fields).join(', ')}`)
  const key = (d) => (Array.isArray(get(d)) ? get(d).length : get(d))
  const collate = new Intl.Collator('en', { numeric: true })
  const ordered = list.map((d) => [key(d), d]).sort(([a], [b]) => {
    if (a == null || b == null) return (a == null) - (b == null)
    return (down ? -1 : 1) * (typeof a === 'number' ? a - b : collate.compare(a, b))
  })
  return ordered.map(([, d]) => d)
}
