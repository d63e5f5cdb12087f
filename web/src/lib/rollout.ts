// Rollouts in words and sums: what an action needs, what it is called, how far its waves are.
// Pure.

import type { Action, ItemState, PoolRequest, RolloutItem, RolloutRequest, RolloutView } from './fleet'
import { num } from './format'

export interface ActionLook {
  action: Action
  label: string
  /** As in "Yes, … 40 miners". */
  verb: string
  means: string
}

export const actions: ActionLook[] = [
  { action: 'reboot', label: 'Reboot', verb: 'reboot', means: 'Restarts the control board. A miner hashes again after some minutes.' },
  { action: 'sleep', label: 'Sleep', verb: 'put to sleep', means: 'Puts miners to sleep and holds them asleep, whatever the price, until someone wakes or releases them.' },
  { action: 'wake', label: 'Wake', verb: 'wake', means: 'Ends what holds miners asleep: they follow the plan again, which wakes them where they pay.' },
  { action: 'profile', label: 'Profile', verb: 'set the profile of', means: "Chooses one of the firmware's operating points by its name." },
  { action: 'pools', label: 'Pools', verb: 'set the pools of', means: 'Replaces all pools. The first is used as long as it answers.' },
  { action: 'led', label: 'Locating light', verb: 'set the light of', means: 'Lets the light blink so that hands find the miner, or ends it.' },
  { action: 'password', label: 'Password', verb: 'change the password of', means: 'Changes the password of the miner itself. The controller reads the new one from where you say; it never passes through this page.' },
]

export const lookOf = (a: string): ActionLook => actions.find((x) => x.action === a) ?? { action: a as Action, label: a, verb: a, means: '' }

/** What a person has entered for a rollout, before it is one. */
export interface Draft {
  action: Action
  pools: PoolRequest[]
  on: boolean
  passwordRef: string
  profile: string
  wave: number | null
  stopAfter: number | null
  note: string
}

export const blankPool = (): PoolRequest => ({ url: '', worker: '', password_ref: '' })

export function draftOf(r?: Partial<RolloutRequest>): Draft {
  return {
    action: r?.action ?? 'reboot',
    pools: r?.pools?.length ? r.pools.map((p) => ({ ...blankPool(), ...p })) : [blankPool()],
    on: r?.on ?? true,
    passwordRef: r?.password_ref ?? '',
    profile: r?.profile ?? '',
    wave: r?.wave || null,
    stopAfter: r?.stop_after || null,
    note: r?.note ?? '',
  }
}

const reference = /^(env|file):\S+$/
const byReference = 'is a reference: env:NAME or file:/path on the controller, never the password itself'

/** What is wrong with a draft and what would be right; empty where nothing is. */
export function fault(d: Draft): string {
  if (d.action === 'pools') {
    const pools = d.pools.filter((p) => p.url.trim() || p.worker.trim())
    if (pools.length === 0) return 'Give at least one pool.'
    for (const p of pools) {
      if (!p.url.trim()) return 'A pool needs its address, such as stratum+tcp://pool.example:3333.'
      if (!p.worker.trim()) return 'A pool needs a worker, such as account.{device}.'
      if (p.password_ref?.trim() && !reference.test(p.password_ref.trim())) return `A pool's password ${byReference}.`
    }
  }
  if (d.action === 'password' && !reference.test(d.passwordRef.trim())) return `The password ${byReference}.`
  if (d.action === 'profile' && !d.profile.trim()) return 'Give the name of a profile.'
  if (d.wave != null && !(d.wave >= 1)) return 'A wave has at least one miner.'
  return ''
}

/** The request for a draft: only what its action needs. */
export function requestOf(d: Draft, target: Target): RolloutRequest {
  const r: RolloutRequest = { action: d.action }
  if (target.devices) r.devices = target.devices
  if (target.query) r.query = target.query
  if (d.action === 'pools')
    r.pools = d.pools
      .filter((p) => p.url.trim())
      .map((p) => ({ url: p.url.trim(), worker: p.worker.trim(), ...(p.password_ref?.trim() ? { password_ref: p.password_ref.trim() } : {}) }))
  if (d.action === 'led') r.on = d.on
  if (d.action === 'password') r.password_ref = d.passwordRef.trim()
  if (d.action === 'profile') r.profile = d.profile.trim()
  if (d.wave) r.wave = Math.round(d.wave)
  if (d.stopAfter) r.stop_after = Math.round(d.stopAfter)
  if (d.note.trim()) r.note = d.note.trim()
  return r
}

/** What a rollout is for: these devices, or all that match a query. */
export interface Target {
  devices?: string[]
  query?: string
  count: number
}

export const miners = (n: number) => `${num(n)} ${n === 1 ? 'miner' : 'miners'}`

/** The states of an item, in the order in which a bar shows them. */
export const itemStates: { state: ItemState; label: string; color: string }[] = [
  { state: 'confirmed', label: 'Confirmed', color: 'var(--ok)' },
  // Such as a password: the miner took it, and no reading can show it.
  { state: 'unknown', label: 'Acknowledged', color: 'var(--tenant-0)' },
  { state: 'failed', label: 'Failed', color: 'var(--bad)' },
  { state: 'told', label: 'Told', color: 'var(--s-moving)' },
  { state: 'pending', label: 'To come', color: 'var(--rest)' },
  { state: 'skipped', label: 'Left out', color: 'var(--line-2)' },
]

export interface Wave {
  n: number
  total: number
  counts: Partial<Record<ItemState, number>>
}

/** The waves with their counts; what is skipped is in none. */
export function wavesOf(items: RolloutItem[]): Wave[] {
  const by = new Map<number, Wave>()
  for (const i of items) {
    if (i.wave === 0) continue
    const w = by.get(i.wave) ?? { n: i.wave, total: 0, counts: {} }
    w.total++
    w.counts[i.state] = (w.counts[i.state] ?? 0) + 1
    by.set(i.wave, w)
  }
  return [...by.values()].sort((a, b) => a.n - b.n)
}

/** How many have a last word, of those that are told at all. */
export function progress(counts: Partial<Record<ItemState, number>>): { ended: number; of: number } {
  const n = (s: ItemState) => counts[s] ?? 0
  const ended = n('confirmed') + n('failed') + n('unknown')
  return { ended, of: ended + n('pending') + n('told') }
}

/** Whether anything may still change: who was told is watched after a stop, too. */
export const over = (r: RolloutView) => r.ended != null && !((r.counts?.told ?? 0) > 0)

/** Reasons with how many gave each, commonest first. */
export function reasonsOf(items: RolloutItem[]): { reason: string; devices: string[] }[] {
  const by = new Map<string, string[]>()
  for (const i of items) {
    const known = by.get(i.reason)
    if (known) known.push(i.device)
    else by.set(i.reason, [i.device])
  }
  return [...by].map(([reason, devices]) => ({ reason, devices })).sort((a, b) => b.devices.length - a.devices.length)
}
