// What is wrong with single miners, asked every few seconds for the count in the page's head and
// for the list of alerts. An alert that is silenced is known and not counted.

import { api } from './api'
import { Asked } from './ask.svelte'
import type { HealthAlert, Severity } from './fleet'
import { num } from './format'
import { store } from './site.svelte'

const everyMs = 5000
const manyMs = 30_000
const many = 2000

export const severities: { severity: Severity; label: string }[] = [
  { severity: 'critical', label: 'Critical' },
  { severity: 'warning', label: 'Warning' },
  { severity: 'info', label: 'To know' },
]

class Care {
  readonly asked = new Asked<HealthAlert[]>()
  alerts = $derived(this.asked.value ?? [])
  private counts = $derived.by(() => {
    const n: Record<Severity, number> = { critical: 0, warning: 0, info: 0 }
    for (const a of this.alerts) if (!a.silenced) n[a.severity]++
    return n
  })
  /** How many a person should hear of. */
  heard = $derived(this.counts.critical + this.counts.warning)
  worst = $derived<Severity>(this.counts.critical > 0 ? 'critical' : 'warning')
  inWords = $derived(`${num(this.counts.critical)} critical, ${num(this.counts.warning)} ${this.counts.warning === 1 ? 'warning' : 'warnings'}`)

  refresh = () => this.asked.ask(async (s) => (await api.health(s)) ?? [])

  /** Asks until it is told to end. */
  watch(): () => void {
    let last = 0
    const look = () => {
      const pause = this.alerts.length > many ? manyMs : everyMs
      if (store.link === 'lost' || Date.now() - last < pause) return
      last = Date.now()
      void this.asked.renew(async (s) => (await api.health(s)) ?? [])
    }
    look()
    const timer = setInterval(look, 1000)
    return () => {
      clearInterval(timer)
      this.asked.drop()
      this.asked.value = null
    }
  }
}

export const care = new Care()

/** What a rule is called: "dead-board" as "dead board". */
export const ruleName = (rule: string) => rule.replace(/-/g, ' ')
