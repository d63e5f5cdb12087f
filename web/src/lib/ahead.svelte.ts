// The hours ahead: what is planned, what the grid asks and what tenants are to give back, asked every few seconds for every
// screen. Nothing is asked of a controller that does not say it has them.

import type { ScheduleView, SignalsView } from './aheadtypes'
import { api } from './api'
import { Asked } from './ask.svelte'
import type { CurtailmentsView } from './clustertypes'
import { store } from './site.svelte'

const signalsMs = 4000
const scheduleMs = 12_000

class Ahead {
  readonly planned = new Asked<ScheduleView>()
  readonly asked = new Asked<SignalsView>()
  readonly curtailed = new Asked<CurtailmentsView>()
  schedule = $derived(this.planned.value)
  signals = $derived(this.asked.value?.signals ?? [])
  sources = $derived(this.asked.value?.sources ?? [])
  /** In force, or about to be: what a person must see on every screen. */
  emergencies = $derived.by(() => {
    const now = store.live ? Date.parse(store.live.at) : 0
    return this.signals.filter((s) => s.emergency && (s.to === null || Date.parse(s.to) > now) && Date.parse(s.from) - now < 3600_000)
  })

  /** Asks anew after a change, whatever is under way. */
  curtail = () => this.curtailed.ask((s) => api.curtailments(s))

  /** Asks until it is told to end. */
  watch(): () => void {
    let signalsAt = 0
    let scheduleAt = 0
    const look = () => {
      if (store.link === 'lost') return
      const now = Date.now()
      // A rehearsal's hour may be seconds: a plan of an hour ago would puzzle.
      const old = (store.site?.speed ?? 1) >= 60 ? scheduleMs / 4 : scheduleMs
      if (now - signalsAt >= signalsMs) {
        signalsAt = now
        void this.asked.renew((s) => api.signals(s))
        if (store.site?.curtailments) void this.curtailed.renew((s) => api.curtailments(s))
      }
      if (now - scheduleAt >= old) {
        scheduleAt = now
        void this.planned.renew((s) => api.schedule(s))
      }
    }
    look()
    const timer = setInterval(look, 1000)
    return () => {
      clearInterval(timer)
      for (const a of [this.planned, this.asked, this.curtailed]) {
        a.drop()
        a.value = null
      }
    }
  }
}

export const ahead = new Ahead()
