// What is told of curtailments: power that hosted tenants are asked not to draw. Pure.

import type { CurtailmentView, CurtailState, RightView } from './clustertypes'
import { dash, duration, num, power, usd, type SiteClock } from './format'

export const stateWords: Record<CurtailState, string> = { proposed: 'Proposed', called: 'Called', running: 'Running', ended: 'Ended', withdrawn: 'Withdrawn' }

/** Who calls what the schedule would use, in plain words. */
export const callWords: Record<RightView['call'], { word: string; hint: string }> = {
  ask: { word: 'A person calls', hint: 'the schedule proposes, and tells nobody by itself' },
  auto: { word: 'The site calls', hint: 'by itself, when the notice comes due' },
  never: { word: 'Nobody calls', hint: 'the schedule leaves this right alone' },
}

const ms = (t: string) => Date.parse(t)
const seconds = (from: string, to: string) => (ms(to) - ms(from)) / 1000

/** Whole dollars without cents: a contract's price is seldom anything else. */
export const price = (v: number) => usd(v, Number.isInteger(v) ? 0 : 2)

/** Hours of a contract, which are never told in days. */
export const hours = (s: number) => `${num(s / 3600, s % 3600 === 0 ? 0 : 1)} h`

export const energy = (kwh: number | null) => (kwh == null ? dash : Math.abs(kwh) < 1000 ? `${num(kwh)} kWh` : `${num(kwh / 1000, 2)} MWh`)

/** A sentence of a person, who may have left out its full stop. */
export const ended = (s: string) => (/[.!?]$/.test(s.trim()) ? s.trim() : `${s.trim()}.`)

/** "17:00 to 19:00", with the days where they are not today. */
export function between(c: { from: string; to: string }, now: number, clock: SiteClock): string {
  return `${clock.moment(c.from, now)} to ${clock.moment(c.to, clock.isoDate(c.from) === clock.isoDate(c.to) ? c.from : now)}`
}

/** What the tenant is asked for, without why. */
export function request(c: CurtailmentView, now: number, clock: SiteClock): string {
  const when = `from ${between(c, now, clock)}`
  if (c.down_to_w == null) return `Please draw ${power(c.power_w)} less than before, ${when}.`
  return `Please draw at most ${power(c.down_to_w)} ${when} (${power(c.power_w)} less than before).`
}

/** What is paid for it; empty where nothing is. */
export const pay = (c: CurtailmentView) => (c.price_usd_mwh > 0 ? `You are paid ${price(c.price_usd_mwh)} for each MWh not drawn.` : '')

/** How far it is, in words. */
export function stage(c: CurtailmentView, now: number): string {
  if (c.state === 'called') return ms(c.from) > now ? `Begins in ${duration((ms(c.from) - now) / 1000)}` : 'Begins now'
  if (c.state === 'running') return ms(c.to) > now ? `Running, ends in ${duration((ms(c.to) - now) / 1000)}` : 'Ends now'
  return stateWords[c.state]
}

/** Contracts allow the meters so much. */
const meters = 1.01

export interface Following {
  /** null: it cannot be told. */
  followed: boolean | null
  text: string
}

/** Whether a tenant that draws so much does what it was asked for. */
export function following(c: CurtailmentView, drawnW: number | null, now: number, clock: SiteClock): Following {
  if (c.down_to_w == null) return { followed: null, text: '' }
  if (drawnW == null) return { followed: null, text: 'Your meter does not tell what you draw now.' }
  const over = drawnW - c.down_to_w
  const draws = `You draw ${power(drawnW)} now`
  if (c.state !== 'running') {
    if (drawnW <= c.down_to_w * meters) return { followed: true, text: `${draws}, and that is little enough already.` }
    return { followed: null, text: `${draws}: ${power(over)} less is needed by ${clock.moment(c.from, now)}.` }
  }
  if (drawnW <= c.down_to_w * meters) return { followed: true, text: `${draws}. That is followed, thank you.` }
  return { followed: false, text: `${draws}, ${power(over)} more than asked. That is not followed yet.` }
}

/** What was given of what was asked, in words; negative is more than before. */
export function given(c: CurtailmentView): string {
  if (c.given_w == null) {
    if (c.state === 'called') return 'not begun yet'
    return c.withdrawn != null && ms(c.withdrawn) <= ms(c.from) ? 'did not begin' : 'not measured yet'
  }
  return c.given_w < 0 ? `drew ${power(-c.given_w)} more` : `${power(c.given_w)} given`
}

/** Dollars for what was not drawn; null: not measured yet. */
export const paid = (c: CurtailmentView) => (c.given_kwh == null ? null : (Math.max(0, c.given_kwh) / 1000) * c.price_usd_mwh)

/** The same, told to the tenant; empty where nothing is measured yet. */
export function soFar(c: CurtailmentView): string {
  if (c.given_w == null) return ''
  if (c.given_w < 0) return `So far you drew ${power(-c.given_w)} more than before in the mean.`
  const of = c.given_kwh == null ? '' : `: ${energy(c.given_kwh)}${c.price_usd_mwh > 0 ? `, ${usd(paid(c))}` : ''}`
  return `So far you drew ${power(c.given_w)} less than before in the mean${of}.`
}

/** Until when a proposal can be called with its notice kept. */
export function callBy(c: CurtailmentView, now: number, clock: SiteClock): { text: string; left: string; late: boolean; soon: boolean } {
  if (c.call_by == null) return { text: 'no notice is needed', left: '', late: false, soon: false }
  const s = (ms(c.call_by) - now) / 1000
  const at = clock.moment(c.call_by, now)
  if (s <= 0) return { text: `was to be called by ${at}`, left: 'too late for its notice', late: true, soon: true }
  return { text: `call by ${at}`, left: `in ${duration(s)}`, late: false, soon: s < 1800 }
}

/** What of a call the right does not cover, a sentence each: it needs a consent. */
export function beyond(r: RightView | undefined, c: { from: number; to: number; powerW: number }, now: number): string[] {
  if (!r) return ['The site file names no right of this tenant.']
  const out: string[] = []
  if (c.powerW > r.power_w + 0.5) out.push(`The right is to ${power(r.power_w)}.`)
  if (c.from - now < r.notice_s * 1000 - 30_000) out.push(`The right takes ${duration(r.notice_s)} of notice, and it begins ${c.from <= now ? 'at once' : `in ${duration((c.from - now) / 1000)}`}.`)
  if ((c.to - c.from) / 1000 > r.left_s) out.push(r.left_s > 0 ? `Only ${hours(r.left_s)} are left of this year's ${hours(r.total_s)}.` : `Nothing is left of this year's ${hours(r.total_s)}.`)
  return out
}

/** What holds and what comes, in a sentence for those who run the site. */
export function summary(proposed: CurtailmentView[], calls: CurtailmentView[], now: number, clock: SiteClock): string {
  const running = calls.filter((c) => c.state === 'running')
  const coming = calls.filter((c) => c.state === 'called').sort((a, b) => ms(a.from) - ms(b.from))
  const say = running.map((c) => `${c.name} is to draw ${power(c.power_w)} less until ${clock.moment(c.to, now)}.`)
  if (coming.length > 0) say.push(`${coming[0]!.name} is to draw ${power(coming[0]!.power_w)} less from ${between(coming[0]!, now, clock)}.`)
  if (say.length === 0) say.push('No tenant is curtailed now.')
  const next = proposed[0]
  if (next) say.push(`The schedule would take ${power(next.power_w)} back from ${next.name} from ${between(next, now, clock)}.`)
  return say.join(' ')
}

/** All that was measured of the year's calls; null where nothing was. */
export function total(calls: CurtailmentView[]): { kwh: number; usd: number } | null {
  const known = calls.filter((c) => c.given_kwh != null)
  if (known.length === 0) return null
  return { kwh: known.reduce((s, c) => s + c.given_kwh!, 0), usd: known.reduce((s, c) => s + paid(c)!, 0) }
}

/** "2026-02-03T17:30": a moment as the site's clocks show it, for a field. */
export const wall = (at: string | number, clock: SiteClock) => `${clock.isoDate(at)}T${clock.minutes(at)}`

/** The moment at which the site's clocks show so; NaN where that is no time. */
export function atWall(s: string, clock: SiteClock): number {
  const goal = Date.parse(`${s}Z`)
  let t = goal
  // The zone's offset is that of the moment itself, so that one more step lands across a change of it.
  for (let i = 0; i < 2 && Number.isFinite(t); i++) t += goal - Date.parse(`${wall(t, clock)}Z`)
  return t
}

export const lasts = (c: { from: string; to: string }) => duration(seconds(c.from, c.to))
