// What the grid asks, in words and on a line of time. Pure.

import type { SignalView, SourceView } from './aheadtypes'
import { duration, power, usd, type SiteClock } from './format'

export type Standing = 'force' | 'overruled' | 'idle' | 'coming' | 'ended'

export const standings: Record<Standing, string> = { force: 'in force', overruled: 'overruled', idle: 'not in force', coming: 'to come', ended: 'ended' }

const ms = (t: string | null) => (t === null ? Infinity : Date.parse(t))

export function standing(s: SignalView, now: number): Standing {
  if (ms(s.to) <= now) return 'ended'
  if (ms(s.from) > now) return 'coming'
  if (s.in_force) return 'force'
  return s.overruled_by ? 'overruled' : 'idle' // its source is lost, and what it said released
}

/** What is asked for, without by whom and until when. */
export function wanted(s: SignalView, nameOf: (id: string) => string): string {
  switch (s.kind) {
    case 'limit':
      return `${nameOf(s.node)} not above ${power(s.power_w)}`
    case 'price':
      return `${usd(s.price_usd)}/MWh`
    case 'reserve': {
      const speed = s.within_s ? ` within ${duration(s.within_s)}` : ''
      const stay = s.for_s ? ` for ${duration(s.for_s)}` : ''
      const paid = s.price_usd == null ? '' : `, at ${usd(s.price_usd)} per MW and hour`
      return `${power(s.power_w)} able to drop${speed}${stay}${paid}`
    }
  }
  return s.kind
}

/** A signal's life, in words. */
export function life(s: SignalView, now: number, clock: SiteClock): string {
  const to = s.to === null ? 'until it is taken back' : `until ${clock.moment(s.to, now)}`
  const st = standing(s, now)
  if (st === 'ended') return `${clock.moment(s.from, now)} to ${clock.moment(s.to!, now)}`
  return st === 'coming' ? `from ${clock.moment(s.from, now)} ${to}` : `since ${clock.moment(s.from, now)}, ${to}`
}

export const kinds: Record<string, string> = { limit: 'Limit', price: 'Price', reserve: 'Reserve' }
export const protocols: Record<string, string> = { openadr: 'OpenADR', mqtt: 'MQTT', dsx: 'DSX Flex', modbus: 'Modbus' }

/** Signals as a person reads them: what holds first, then what comes, and what has ended last. */
export function ordered(all: SignalView[], now: number): SignalView[] {
  const rank: Record<Standing, number> = { force: 0, overruled: 1, idle: 2, coming: 3, ended: 4 }
  return [...all].sort((a, b) => {
    const by = rank[standing(a, now)] - rank[standing(b, now)]
    if (by !== 0) return by
    return standing(a, now) === 'ended' ? ms(b.to) - ms(a.to) : ms(a.from) - ms(b.from) || a.priority - b.priority
  })
}

export interface Span {
  from: number
  to: number
}

/** The line of time: enough before now to see what has been, and a day ahead. */
export function span(now: number): Span {
  return { from: now - 6 * 3600_000, to: now + 24 * 3600_000 }
}

/** Where a signal lies on the line, in percent; null where it is outside. open: it goes on past the end. */
export function bar(s: SignalView, w: Span): { left: number; width: number; open: boolean } | null {
  const a = Math.max(ms(s.from), w.from)
  const b = Math.min(ms(s.to), w.to)
  if (b <= a) return null
  const k = 100 / (w.to - w.from)
  return { left: (a - w.from) * k, width: (b - a) * k, open: ms(s.to) > w.to }
}

/** How a source does, in a word and a line. */
export function health(s: SourceView): { word: string; level: 'ok' | 'warning' | 'critical' } {
  if (s.state === 'lost') return { word: 'lost', level: 'critical' }
  if (s.state === 'never') return { word: 'not heard yet', level: 'warning' }
  return s.problem ? { word: 'in trouble', level: 'warning' } : { word: 'heard', level: 'ok' }
}
