// What an operator's limit would do, said before it is set. An estimate from the live values:
// the controller decides, this only warns. Pure.

import { power } from './format'
import { below } from './tree'
import type { LiveView, SiteView } from './types'

export interface Impact {
  level: 'none' | 'shed' | 'firm'
  /** Sentences for the operator, in order of weight. */
  lines: string[]
  shedW: number
}

/** Drawn now at a node: metered if it can be, else the estimate. */
export function drawOf(live: LiveView, node: string): number | null {
  const n = live.nodes?.find((x) => x.id === node)
  return n ? (n.power_w ?? n.est_w) : null
}

/** The greatest limit worth setting on a node: its rating, else all nameplates below it. */
export function ceiling(site: SiteView, node: string): number {
  const info = site.nodes.find((n) => n.id === node)
  if (info?.limit_w != null) return info.limit_w
  const ids = below(site, node)
  const groups = site.groups.filter((g) => ids.has(g.node)).reduce((s, g) => s + g.nameplate_w, 0)
  const tenants = site.tenants.filter((t) => ids.has(t.node)).reduce((s, t) => s + t.firm_w, 0)
  const clusters = (site.gpu_clusters ?? []).filter((c) => ids.has(c.node)).reduce((s, c) => s + c.nameplate_w, 0)
  return Math.max(groups + tenants + clusters, 1e5)
}

/** What a cluster's jobs could give up now, and what its firm work draws; unknown is all firm. */
function gpus(site: SiteView, live: LiveView, ids: Set<string>): { bend: number; firm: number; names: string[] } {
  const out = { bend: 0, firm: 0, names: [] as string[] }
  for (const c of site.gpu_clusters ?? []) {
    if (!ids.has(c.node)) continue
    const now = live.gpu_clusters?.find((x) => x.id === c.id)
    const draw = now?.power_w ?? c.nameplate_w
    const firm = Math.min(draw, now?.firm_w ?? draw)
    out.bend += draw - firm
    out.firm += firm
    if (firm > 0) out.names.push(`the firm work of ${c.name || c.id}`)
  }
  return out
}

const list = (names: string[]) =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`

export function impact(site: SiteView, live: LiveView, node: string, limitW: number): Impact {
  const info = site.nodes.find((n) => n.id === node)
  const name = info?.name || node
  const draw = drawOf(live, node)
  if (draw == null) return { level: 'none', lines: [`What ${name} draws is not known, so the effect is not known either.`], shedW: 0 }

  const ids = below(site, node)
  const groups = site.groups.filter((g) => ids.has(g.node))
  const tenants = site.tenants.filter((t) => ids.has(t.node))
  const liveGroup = new Map((live.groups ?? []).map((g) => [g.id, g]))
  const liveTenant = new Map((live.tenants ?? []).map((t) => [t.id, t]))
  const mining = groups.reduce((s, g) => s + Math.max(0, (liveGroup.get(g.id)?.power_w ?? 0) - (liveGroup.get(g.id)?.fixed_w ?? 0)), 0)
  const kept = tenants.reduce((s, t) => s + Math.max(liveTenant.get(t.id)?.power_w ?? t.firm_w, liveTenant.get(t.id)?.reserve_w ?? 0), 0)
  const tenantDraw = tenants.reduce((s, t) => s + (liveTenant.get(t.id)?.power_w ?? t.firm_w), 0)
  const gpu = gpus(site, live, ids)
  const firmDraw = tenantDraw + gpu.firm
  const who = [...tenants.map((t) => t.name || t.id), ...gpu.names]
  const names = list(who).replace(/^the/, 'The')
  const keeps = names ? `${names} ${who.length > 1 ? 'keep' : 'keeps'} running.` : ''

  // The tenants' reserve is held free too, so mining gets what is left of the limit after it.
  const wanted = draw - tenantDraw + kept - limitW
  if (wanted <= 0) {
    return { level: 'none', lines: [`Nothing to shed now: ${name} draws ${power(draw)}. It will not rise above ${power(limitW)}.`, keeps].filter(Boolean), shedW: 0 }
  }
  const shedW = Math.min(wanted, mining)
  const bent = Math.min(wanted - shedW, gpu.bend)
  const parts = [shedW > 0 && `${power(shedW)} of mining`, bent > 1000 && `${power(bent)} of GPU jobs, by caps and pauses,`].filter((x): x is string => !!x)
  const lines = parts.length > 0 ? [`Will shed about ${list(parts)} at ${name}, which draws ${power(draw)} now.`] : []
  const over = draw - shedW - bent - limitW
  if (over <= 1000) return { level: 'shed', lines: [...lines, keeps].filter(Boolean), shedW }
  if (parts.length === 0) lines.push(`No mining is left to shed at ${name}, which draws ${power(draw)} now.`)
  if (firmDraw > limitW) {
    lines.push(`That is not enough: ${list(who)} ${who.length > 1 ? 'draw' : 'draws'} ${power(firmDraw)}. About ${power(over)} of contracted load would have to stop, against its contract.`)
    return { level: 'firm', lines, shedW }
  }
  lines.push(`About ${power(over)} stays above the limit: standby, held and stuck devices that the controller cannot put to sleep. Open their breaker if the limit must hold.`)
  if (keeps) lines.push(keeps)
  return { level: 'shed', lines, shedW }
}
