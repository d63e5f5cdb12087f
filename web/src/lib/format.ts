// Values as people read them. Unknown prints as a dash, never as zero.

export const dash = '–'
const minus = '\u2212'

function fixed(v: number, digits: number): string {
  // A rounded zero carries no sign: "−0.00" would read as a loss.
  const s = Math.abs(v).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  const zero = Number(Math.abs(v).toFixed(digits)) === 0
  return v < 0 && !zero ? minus + s : s
}

/** number in a fixed count of decimals, or a dash. */
export function num(v: number | null | undefined, digits = 0): string {
  return v == null || !Number.isFinite(v) ? dash : fixed(v, digits)
}

/** W as MW, always in MW, for columns that are compared. */
export function mw(w: number | null | undefined, digits = 2): string {
  return w == null ? dash : fixed(w / 1e6, digits)
}

/** W with the unit that suits it. */
export function power(w: number | null | undefined): string {
  if (w == null) return dash
  const a = Math.abs(w)
  if (a >= 999_500) return `${fixed(w / 1e6, a >= 99.95e6 ? 0 : a >= 9.995e6 ? 1 : 2)} MW`
  if (a >= 999.5) return `${fixed(w / 1e3, a >= 9_995 ? 0 : 1)} kW`
  return `${fixed(w, 0)} W`
}

/** dollars; cents below a thousand. */
export function usd(v: number | null | undefined, digits?: number): string {
  if (v == null) return dash
  const d = digits ?? (Math.abs(v) < 1000 ? 2 : 0)
  const s = fixed(v, d)
  return s.startsWith(minus) ? `${minus}$${s.slice(1)}` : `$${s}`
}

/** hashrate given in PH/s. */
export function hashrate(ph: number | null | undefined): string {
  if (ph == null) return dash
  if (ph >= 1000) return `${fixed(ph / 1000, 2)} EH/s`
  return ph < 1 ? `${fixed(ph * 1000, 0)} TH/s` : `${fixed(ph, 1)} PH/s`
}

/** a stretch of seconds in words: "15 min", "1 h 20 min". */
export function duration(s: number): string {
  if (s < 90) return `${Math.round(s)} s`
  const min = Math.round(s / 60)
  if (min < 60) return `${min} min`
  const h = Math.floor(min / 60)
  const rest = min % 60
  if (h >= 48) return `${Math.round(h / 24)} days`
  return rest === 0 ? `${h} h` : `${h} h ${rest} min`
}

/** Times in the site's time zone. */
export class SiteClock {
  readonly zone: string
  private readonly hms: Intl.DateTimeFormat
  private readonly hm: Intl.DateTimeFormat
  private readonly day: Intl.DateTimeFormat
  private readonly iso: Intl.DateTimeFormat

  constructor(zone: string) {
    this.zone = SiteClock.known(zone) ? zone : 'UTC'
    const f = (o: Intl.DateTimeFormatOptions, locale = 'en-GB') =>
      new Intl.DateTimeFormat(locale, { timeZone: this.zone, ...o })
    this.hms = f({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
    this.hm = f({ hour: '2-digit', minute: '2-digit' })
    this.day = f({ weekday: 'short', day: 'numeric', month: 'short' })
    this.iso = f({ year: 'numeric', month: '2-digit', day: '2-digit' }, 'sv-SE')
  }

  private static known(zone: string): boolean {
    try {
      new Intl.DateTimeFormat('en-GB', { timeZone: zone })
      return zone !== ''
    } catch {
      return false
    }
  }

  seconds(at: string | number | Date): string {
    return this.hms.format(new Date(at))
  }
  minutes(at: string | number | Date): string {
    return this.hm.format(new Date(at))
  }
  /** Minutes, with the day before them where it is not the day of now. */
  moment(at: string | number | Date, now: string | number | Date): string {
    return this.isoDate(at) === this.isoDate(now) ? this.minutes(at) : `${this.date(at)} ${this.minutes(at)}`
  }
  date(at: string | number | Date): string {
    return this.day.format(new Date(at))
  }
  /** 2026-01-31 in the site's zone. */
  isoDate(at: string | number | Date): string {
    return this.iso.format(new Date(at))
  }
}
