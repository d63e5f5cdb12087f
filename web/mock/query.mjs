// The mock's reading of a query: plain words, or comparisons joined by and, or, not and brackets.

const fields = {
  device: (d) => d.id, group: (d) => d.group, node: (d) => d.node, rack: (d) => d.rack, position: (d) => d.position,
  make: (d) => d.make, model: (d) => d.model, firmware: (d) => d.firmware, address: (d) => d.address, mac: (d) => d.mac, serial: (d) => d.serial,
  state: (d) => d.state, hashrate: (d) => d.hashrate_th_s, power: (d) => d.power_w, temp: (d) => d.chip_c, uptime: (d) => d.uptime_s, age: (d) => d.age_s,
  worker: (d) => d.worker, alert: (d) => d.alerts, held: (d) => d.held, maintenance: (d) => (d.maintenance ? 'yes' : 'no'),
}
const figures = new Set(['hashrate', 'power', 'temp', 'uptime', 'age'])
const yesNo = new Set(['alert', 'held'])
const other = { id: 'device', name: 'device', ip: 'address', chip: 'temp', alerts: 'alert' }

const fault = (at, text, hint) => Object.assign(new Error(`query, character ${at + 1}: ${text}${hint ? `; ${hint}` : ''}`), { status: 422 })
const inside = (v) => v.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')
const whole = (v) => new RegExp(`^${inside(v)}$`, 'i')

function tokens(q) {
  const out = []
  const re = /\s*(?:([()])|(!=|<=|>=|=|<|>|~)|"((?:[^"\\]|\\.)*)"|([^\s()=<>!~"]+))/y
  for (let at = 0; at < q.trimEnd().length; at = re.lastIndex) {
    re.lastIndex = at
    const m = re.exec(q)
    if (!m) throw fault(at, `${q.slice(at).trim()[0]} is not understood`, '')
    const text = m[1] ?? m[2] ?? m[3]?.replace(/\\(.)/g, '$1') ?? m[4]
    out.push({ text, kind: m[1] ? 'bracket' : m[2] ? 'op' : m[3] !== undefined ? 'quoted' : 'word', at: at + m[0].length - m[0].trimStart().length })
  }
  return out
}

const texts = (d) => [d.id, d.group, d.address, d.mac, d.serial, d.worker, d.rack, d.model, d.firmware, d.state]
function anywhere(v) {
  const want = /[*?]/.test(v) ? whole(v) : new RegExp(inside(v), 'i')
  return (d) => texts(d).some((x) => want.test(x))
}

/** A test for a device. */
export function query(q) {
  const t = tokens(q)
  if (t.length === 0) return () => true
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
    if (!x) throw fault(q.length, 'something to look for is missing at the end', 'write it like model=S19* and hashrate<80%')
    if (x.text === '(') {
      const a = any()
      if (t[i++]?.text !== ')') throw fault(x.at, 'the parenthesis is not closed', 'write ")" where it ends')
      return a
    }
    if (x.kind === 'word' && x.text.toLowerCase() === 'not') {
      const a = one()
      return (d) => !a(d)
    }
    const op = t[i]
    if (op?.kind !== 'op') return anywhere(x.text)
    const name = other[x.text] ?? x.text
    if (!fields[name]) throw fault(x.at, `there is no field "${x.text}"`, `the fields are ${Object.keys(fields).join(', ')}`)
    i++
    const v = t[i++]
    if (!v || v.kind === 'op') throw fault(v?.at ?? q.length, `a value is missing after ${name}${op.text}`, '')
    return compare(name, op, v)
  }
  const test = any()
  if (i < t.length) throw fault(t[i].at, `"${t[i].text}" is not understood here`, '')
  return test
}

function compare(name, { text: op, at }, v) {
  const get = fields[name]
  if (figures.has(name)) {
    const number = /^(-?[\d.]+)(%?)/.exec(v.text)
    if (!number) throw fault(v.at, `"${v.text}" is no figure`, `write it like ${name}<80`)
    const of = number[2] && name === 'hashrate' ? (d) => d.hashrate_percent : get
    const n = Number(number[1])
    return (d) => of(d) != null && { '<': of(d) < n, '<=': of(d) <= n, '>': of(d) > n, '>=': of(d) >= n, '=': of(d) === n, '!=': of(d) !== n }[op]
  }
  if (!['=', '!=', '~'].includes(op)) throw fault(at, `${name} is a text, and ${op} compares figures`, 'use =, != or ~')
  const want = op === '~' ? new RegExp(inside(v.text), 'i') : whole(v.text)
  const any = (d) => [get(d)].flat().filter(Boolean)
  const same = yesNo.has(name) && /^(yes|no)$/.test(v.text) ? (d) => (any(d).length > 0) === (v.text === 'yes') : (d) => (v.text === '' ? any(d).length === 0 : any(d).some((x) => want.test(x)))
  return op === '!=' ? (d) => !same(d) : same
}

/** Puts devices in the order of a field, "-" before it for descending; unknown comes last. */
export function sorted(list, sort) {
  const down = sort.startsWith('-')
  const name = sort.replace(/^-/, '') || 'device'
  const get = fields[name]
  if (!get) throw Object.assign(new Error(`there is no field "${name}" to sort by`), { status: 422 })
  const key = (d) => (Array.isArray(get(d)) ? get(d).length : get(d))
  const collate = new Intl.Collator('en', { numeric: true })
  const ordered = list.map((d) => [key(d), d]).sort(([a], [b]) => {
    if (a == null || b == null) return (a == null) - (b == null)
    return (down ? -1 : 1) * (typeof a === 'number' ? a - b : collate.compare(a, b))
  })
  return ordered.map(([, d]) => d)
}
