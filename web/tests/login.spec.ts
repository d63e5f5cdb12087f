import { expect, open, test } from './site'

test.describe('login', () => {
  test('asks for the token, refuses a wrong one, takes a right one', async ({ page, url, allowed }) => {
    allowed.push(/status of 401/)
    await page.goto(url)
    await expect(page.getByText('switchyard token new')).toBeVisible()
    await page.getByLabel('Token').fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('alert')).toContainText('not known here')

    await page.getByLabel('Token').fill('operator')
    await page.getByLabel('Token').press('Enter')
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Millbrook Station')
    await expect(page.getByText('Made-up prices: a rehearsal')).toBeVisible()
    const cookies = await page.context().cookies()
    expect(cookies.find((c) => c.name === 'switchyard')?.httpOnly).toBe(true)

    await page.getByRole('button', { name: 'Log out' }).click()
    await expect(page.getByLabel('Token')).toBeVisible()
    expect((await page.context().cookies()).length).toBe(0)
  })

  test('a link with the token logs in and leaves no token in the address', async ({ page, url, mock }) => {
    await open(page, url)
    expect(page.url()).toBe(`${url}/`)
    expect(mock.requests[0]).toEqual({ method: 'POST', path: '/session', body: { token: 'operator' }, guard: '1' })
  })

  test('a viewer sees everything and can change nothing', async ({ page, url }) => {
    await open(page, url, 'viewer')
    await expect(page.getByRole('button', { name: 'Limit', exact: true })).toHaveCount(0)
    await page.locator('.alert').getByRole('button').first().click()
    await expect(page.getByText('Your role (viewer) may look only.')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Hold asleep' })).toHaveCount(0)
  })
})
