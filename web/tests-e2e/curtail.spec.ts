import { expect, program, test } from './real'
import type { CurtailmentsView } from '../src/lib/clustertypes'

test.skip(program === '', 'SWITCHYARD_BIN is missing: it names the built program, such as bin/switchyard')
test.setTimeout(60_000)

test('a tenant is curtailed by its consent, its page says so, and it is withdrawn', async ({ page, site, mayFail }) => {
  mayFail.push(/status of 422/)
  const tenant = site.tenants[0]!
  const ask = async () => (await (await page.request.get('/api/v1/curtailments')).json()) as CurtailmentsView
  await page.getByRole('link', { name: 'Schedule' }).first().click()
  await page.getByRole('link', { name: 'Curtailments' }).first().click()
  await page.getByRole('button', { name: 'Curtail a tenant…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Tenant').selectOption(tenant.id)
  // The demonstration's clock is that of UTC; a day ahead is far enough at its speed.
  expect(site.timezone).toBe('UTC')
  const { at, rights } = await ask()
  const kW = rights.find((r) => r.tenant === tenant.id)!.power_w / 1000 + 10 // beyond its right
  await dialog.getByLabel('To', { exact: true }).fill(new Date(Date.parse(at) + 20 * 3600_000).toISOString().slice(0, 16))
  await dialog.getByLabel('Less by').fill(String(kW))
  await dialog.getByLabel('Why').fill('A transformer runs hot.')
  await dialog.getByRole('button', { name: /^Call / }).click()
  await expect(dialog.getByRole('alert')).toContainText('name its consent')
  await dialog.getByLabel('Consent').fill('its shift by telephone')
  await dialog.getByRole('button', { name: /^Call / }).click()
  await expect(dialog).toHaveCount(0)

  const called = (await ask()).calls.find((c) => c.why === 'A transformer runs hot.')!
  expect({ tenant: called.tenant, power: called.power_w, consent: called.consent, given: called.given_w }).toEqual({ tenant: tenant.id, power: kW * 1000, consent: 'its shift by telephone', given: null })
  await page.goto(`/#/tenants/${tenant.id}`)
  await expect(page.getByTestId('curtailment')).toContainText(new RegExp(`${kW} kW less than before.*A transformer runs hot\\.`, 's'))
  // The demonstration's tenant has a control of its own, which says that it has seen it.
  await expect(page.getByTestId('curtailment')).toContainText('Seen at', { timeout: 20_000 })

  await page.goto('/#/curtailments')
  const row = page.locator(`[data-call="${called.id}"]`)
  await row.getByRole('button', { name: /^Withdraw the call/ }).click()
  await row.getByLabel(/^Why may/).fill('It has cooled down.')
  await row.getByRole('button', { name: 'Withdraw it' }).click()
  await expect(row).toContainText('Withdrawn')
  await page.goto(`/#/tenants/${tenant.id}`)
  await expect(page.getByTestId('headline')).toBeVisible()
  await expect(page.getByTestId('curtailment')).toHaveCount(0)
})
