// The repair list in the order in which a person walks, or in that of what is lost. Pure.

import type { RepairView } from './fleet'

export interface Rack {
  key: string
  title: string
  repairs: RepairView[]
}

const natural = new Intl.Collator('en', { numeric: true })

/** Racks in their order, positions in theirs; what has no place comes last. */
export function byPlace(list: RepairView[], nameOf: (group: string) => string): Rack[] {
  const by = new Map<string, RepairView[]>()
  for (const r of list) {
    const key = `${r.group}\n${r.rack}`
    const known = by.get(key)
    if (known) known.push(r)
    else by.set(key, [r])
  }
  const racks = [...by].map(([key, repairs]) => {
    const { group, rack } = repairs[0]!
    repairs.sort((a, b) => natural.compare(a.position, b.position) || natural.compare(a.device, b.device))
    return { key, group, rack, title: rack ? `${nameOf(group)}, rack ${rack}` : `${nameOf(group)}, no place known`, repairs }
  })
  return racks.sort((a, b) => natural.compare(a.group, b.group) || Number(a.rack === '') - Number(b.rack === '') || natural.compare(a.rack, b.rack))
}

/** One list, the greatest loss first; what is not known comes last. */
export function byLoss(list: RepairView[]): Rack[] {
  if (list.length === 0) return []
  return [{ key: 'all', title: '', repairs: [...list].sort((a, b) => (b.lost_usd_day ?? -1) - (a.lost_usd_day ?? -1)) }]
}
