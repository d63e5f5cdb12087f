// History as the three charts need it: stacked loads, sums with gaps kept as gaps. Pure.

import type { HistoryView, SiteView } from './types'

type Row = (number | null)[]

export interface Trend {
  times: number[]
  price: Row
  /** From the bottom up: tenants first, then clusters, then groups. values are the load's own, top is stacked. */
  stack: { id: string; values: Row; top: Row }[]
  reserve: Row
  limit: Row
  meter: Row
  mining: Row
  hosting: Row
  energy: Row
  net: Row
}

const blank = (n: number): Row => new Array<number | null>(n).fill(null)

/** Sum of rows; where any part is unknown the sum is unknown. */
export function sum(rows: Row[], n: number): Row {
  if (rows.length === 0) return blank(n)
  return Array.from({ length: n }, (_, i) => {
    let s = 0
    for (const r of rows) {
      const v = r[i]
      if (v == null) return null
      s += v
    }
    return s
  })
}

export function trend(site: SiteView, h: HistoryView): Trend {
  const times = h.times ?? []
  const n = times.length
  const by = new Map((h.series ?? []).map((s) => [s.key, s.values]))
  const row = (key: string): Row => by.get(key) ?? blank(n)
  const scaled = (key: string, k: number): Row => row(key).map((v) => (v == null ? null : v * k))
  const root = site.nodes[0]?.id ?? ''

  const stack: Trend['stack'] = []
  let below: Row = new Array<number | null>(n).fill(0)
  const add = (id: string, key: string) => {
    if (!by.has(key)) return
    const values = scaled(key, 1e-6)
    const under = below
    const top = values.map((v, i) => (v == null || under[i] == null ? null : v + under[i]!))
    stack.push({ id, values, top })
    below = top
  }
  for (const t of site.tenants) add(t.id, `tenant_w:${t.id}`)
  // A cluster is metered at the node that feeds it alone.
  for (const c of site.gpu_clusters ?? []) add(c.id, `node_w:${c.node}`)
  for (const g of site.groups) add(g.id, `group_w:${g.id}`)

  const reserves = site.tenants.map((t) => `reserve_w:${t.id}`).filter((k) => by.has(k))
  const mining = row('earn_usd_hour:mining')
  const hosting = row('earn_usd_hour:hosting')
  const energy = row('cost_usd_hour:energy')
  const earned = sum([mining, hosting].filter((r) => r.some((v) => v != null)), n)
  return {
    times,
    price: row('price_usd_mwh'),
    stack,
    reserve: sum(reserves.map((k) => scaled(k, 1e-6)), n),
    limit: scaled(`limit_w:${root}`, 1e-6),
    meter: scaled(`node_w:${root}`, 1e-6),
    mining,
    hosting,
    energy,
    net: earned.map((v, i) => (v == null || energy[i] == null ? null : v - energy[i]!)),
  }
}
