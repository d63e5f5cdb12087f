// A miner's figures as people read them. Pure.

import type { DeviceRow } from './fleet'
import { dash, duration, num } from './format'

/** W of one miner, to the watt. */
export const watts = (w: number | null | undefined) => (w == null ? dash : `${num(w)} W`)

/** How a power figure came to be. */
export const methods: Record<string, string> = {
  outlet: 'metered at its outlet',
  device: 'as the miner tells',
  curve: "from the model's curve",
  nameplate: 'assumed at nameplate',
}

/** A figure that nothing measured. */
export const assumed = (d: DeviceRow) => d.power_method === 'curve' || d.power_method === 'nameplate'

/** The power figure with its error and method in words. */
export function powerInWords(d: DeviceRow): string {
  const how = methods[d.power_method] ?? d.power_method
  const error = d.power_error_w == null || d.power_w == null ? '' : ` ± ${num(d.power_error_w)} W`
  return `${watts(d.power_w)}${error}${how ? `, ${how}` : ''}`
}

export const place = (d: { rack: string; position: string }) => [d.rack, d.position].filter(Boolean).join(' · ')

/** A stretch of seconds, or a dash. */
export const since = (s: number | null | undefined) => (s == null ? dash : duration(s))

/** Whether its readings are so old that they say little: how old that is, the controller decides. */
export const old = (d: DeviceRow) => d.age_s == null || ['stale', 'unknown', 'lost'].includes(d.state)
