import { expect, open, test } from './site'
import type { Page } from '@playwright/test'

/** What a person with a screen reader or a keyboard stumbles over, found by hand. */
function faults(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const out: string[] = []
    const name = (e: Element) => {
      const labels = (e as HTMLInputElement).labels
      const by = e.getAttribute('aria-labelledby')
      return (e.getAttribute('aria-label') || (by && document.getElementById(by)?.textContent) || (labels && [...labels].map((l) => l.textContent).join('')) || e.textContent || e.getAttribute('title') || '').trim()
    }
    for (const e of document.querySelectorAll('button, a[href], input, select, textarea, [tabindex="0"], dialog, section')) if (!name(e)) out.push(`no name: ${e.outerHTML.slice(0, 90)}`)
    for (const e of document.querySelectorAll('img')) if (e.getAttribute('alt') === null) out.push(`no alt: ${e.outerHTML.slice(0, 90)}`)
    for (const e of document.querySelectorAll('[tabindex]')) if (Number(e.getAttribute('tabindex')) > 0) out.push('positive tabindex')
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
    for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) out.push(`id twice: ${id}`)
    if (document.querySelectorAll('h1').length !== 1) out.push('not one h1')
    if (document.documentElement.lang === '') out.push('no language')
    return out
  })
}

/** Text whose contrast with what is behind it is under 4.5 to 1. */
function faint(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const rgb = (s: string) => (s.match(/[\d.]+/g) ?? []).map(Number)
    const lum = (c: number[]) => {
      const [r, g, b] = c.slice(0, 3).map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
    }
    const behind = (e: Element | null): number[] => {
      for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor)
        if (c.length === 3 || (c[3] ?? 0) === 1) return c
      }
      return [255, 255, 255]
    }
    const out = new Set<string>()
    for (const e of document.querySelectorAll('#app *')) {
      const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent!.trim() !== '')
      if (!own || e.closest('svg') || e.closest('.hidden') || (e as HTMLButtonElement).disabled) continue
      const a = lum(rgb(getComputedStyle(e).color))
      const b = lum(behind(e))
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
      if (ratio < 4.5) out.add(`${ratio.toFixed(2)} ${e.className} "${e.textContent!.trim().slice(0, 30)}"`)
    }
    return [...out]
  })
}

for (const scheme of ['dark', 'light'] as const) {
  test(`names, ids and contrast hold, ${scheme}`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme })
    await open(page, url)
    await expect(page.getByTestId('price-chart').locator('canvas')).toBeVisible()
    expect(await faults(page)).toEqual([])
    expect(await faint(page)).toEqual([])
    await page.getByRole('button', { name: 'Limit', exact: true }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
    expect(await faults(page)).toEqual([])
    expect(await faint(page)).toEqual([])
  })
}

const screens = ['schedule', 'signals', 'curtailments', 'miners', 'miners?q=state%3Dfault', 'miners/s21-003', 'alerts', 'silences', 'repairs', 'rollouts', 'rollouts/1', 'clusters', 'tenants/beta']

for (const scheme of ['dark', 'light'] as const) {
  test(`names, ids and contrast hold on every screen, ${scheme}`, async ({ page, url }) => {
    await page.emulateMedia({ colorScheme: scheme })
    await open(page, url)
    for (const s of screens) {
      await page.goto(`${url}/#/${s}`)
      await expect(page.locator('main section').first()).toBeVisible()
      await page.waitForTimeout(300)
      expect(await faults(page), s).toEqual([])
      expect(await faint(page), s).toEqual([])
    }
    await page.goto(`${url}/#/miners`)
    await page.getByLabel('Choose all on this page').check()
    await page.getByRole('button', { name: 'Tell them…' }).click()
    for (const a of ['Pools', 'Password', 'Locating light', 'Reboot']) {
      await page.getByRole('dialog').getByRole('button', { name: a, exact: true }).click()
      expect(await faults(page), a).toEqual([])
      expect(await faint(page), a).toEqual([])
    }
    await page.getByRole('button', { name: 'Preview' }).click()
    await expect(page.getByTestId('preview')).toBeVisible()
    expect(await faint(page)).toEqual([])
  })
}

for (const scheme of ['dark', 'light'] as const) {
  test(`names, ids and contrast hold when clusters are short of power, ${scheme}`, async ({ page, url, mock }) => {
    mock.short = mock.broken = true
    await page.emulateMedia({ colorScheme: scheme })
    await open(page, url)
    await page.goto(`${url}/#/clusters`)
    await expect(page.getByTestId('jobs')).toBeVisible()
    expect(await faults(page)).toEqual([])
    expect(await faint(page)).toEqual([])
  })

  for (const who of ['helix', 'beta']) {
    test(`names, ids and contrast hold on the tenant's page of ${who}, ${scheme}`, async ({ page, url, mock }) => {
      mock.short = mock.broken = true
      await page.emulateMedia({ colorScheme: scheme })
      await open(page, url, who)
      await expect(page.getByTestId('tenant-chart').locator('canvas')).toBeVisible()
      expect(await faults(page)).toEqual([])
      expect(await faint(page)).toEqual([])
    })
  }
}

for (const scheme of ['dark', 'light'] as const) {
  test(`names, ids and contrast hold when tenants are curtailed, ${scheme}`, async ({ page, url, mock }) => {
    const now = mock.now()
    for (const [id, from, to] of [['running', -2400, 2400], ['called', 3600, 7200]] as const)
      mock.curtail.calls.unshift({ id, tenant: 'helix', from: now + from, to: now + to, power_w: 0.5e6, baseline_w: 1.3e6, told: now - 3000, seen: null, withdrawn: null, by: 'shift', why: 'The grid is short.', consent: 'its right', given_w: null })
    await page.emulateMedia({ colorScheme: scheme })
    await open(page, url)
    await page.goto(`${url}/#/curtailments`)
    await page.getByRole('button', { name: /^Withdraw the call/ }).first().click()
    expect(await faults(page)).toEqual([])
    expect(await faint(page)).toEqual([])
    await page.getByRole('button', { name: 'Curtail a tenant…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Call Helix AI' }).click()
    expect(await faults(page)).toEqual([])
    expect(await faint(page)).toEqual([])
    await page.goto(`${url}/#/tenants/helix`)
    for (const follows of [true, false]) {
      mock.curtail.follows = follows
      await expect(page.getByTestId('curtailment').first()).toContainText(follows ? 'That is followed' : 'not followed yet')
      expect(await faults(page)).toEqual([])
      expect(await faint(page)).toEqual([])
    }
  })
}

test('motion stops for those who ask for that', async ({ page, url }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await open(page, url)
  expect(await page.locator('.flow').first().evaluate((e) => getComputedStyle(e).animationName)).toBe('none')
})

test.describe('a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  test('nothing scrolls sideways, and a first tap only tells', async ({ page, url }) => {
    await open(page, url)
    await expect(page.getByTestId('price-chart').locator('canvas')).toBeVisible()
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    expect(await sideways()).toBe(0)
    const map = page.getByTestId('map-s21')
    await map.scrollIntoViewIfNeeded()
    await expect(map).toHaveAttribute('data-cells', '240')
    await map.tap({ position: { x: 30, y: 30 } })
    await expect(page.locator('.tip')).toBeVisible()
    await expect(page.getByRole('dialog')).toHaveCount(0)
    await map.tap({ position: { x: 30, y: 30 } })
    await expect(page.getByRole('dialog')).toBeVisible()
    expect(await sideways()).toBe(0)
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('link', { name: 'Report' }).click()
    await expect(page.locator('tbody tr')).toHaveCount(4)
    expect(await sideways()).toBe(0)
    await page.getByRole('button', { name: 'Limit', exact: true }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
    expect(await sideways()).toBe(0)
  })

  test('every screen fits its width, and miners are told from it', async ({ page, url }) => {
    await open(page, url)
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    for (const s of screens) {
      await page.goto(`${url}/#/${s}`)
      await expect(page.locator('main section').first()).toBeVisible()
      await page.waitForTimeout(300)
      expect(await sideways(), s).toBe(0)
    }
    await page.getByRole('button', { name: 'Find a miner' }).click()
    await page.getByRole('searchbox').fill('rack=R2 group=s21')
    await expect(page.getByTestId('found')).toHaveText('40 miners match')
    await page.getByLabel('Sort by').selectOption('power')
    await expect(page).toHaveURL(/sort=-power/)
    await page.getByLabel('Choose s21-041', { exact: true }).check()
    await page.getByRole('button', { name: 'Tell them…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Pools', exact: true }).click()
    expect(await sideways()).toBe(0)
    await page.getByRole('dialog').getByRole('button', { name: 'Reboot', exact: true }).click()
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByTestId('begin').click()
    await expect(page.getByTestId('rollout-state')).toContainText('Done')
    expect(await sideways()).toBe(0)
  })
})
