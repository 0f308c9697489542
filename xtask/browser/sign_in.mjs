// Walks the sign-in by an identity provider in a real browser, as `cargo xtask browser` starts it.
//
// BASE_URL      a fresh server whose people sign in at the certified OpenID provider of ../peers/oidc/sign_in.mjs
// ISSUER        the address of that provider
// TWIN          what the GitLab twin printed: JSON with url, token, otherTokens
//
// and what walk.mjs is told.

import { browser, check, done, pleasant, somebody, step } from "./walk.mjs";

const { BASE_URL: base, ISSUER: issuer, TWIN } = process.env;
const twin = JSON.parse(TWIN);
const button = (page) => page.getByRole("link", { name: "Sign in with Example" });
const path = (page) => new URL(page.url()).pathname;

// From the sign-in page to the provider's, where somebody says who they are, agrees, and is sent back.
async function asks(page, name) {
  await button(page).click();
  check(page.url().startsWith(issuer), `the button leads to ${page.url()}`);
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("of no importance");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await agrees(page);
}

async function agrees(page) {
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${base}/**`);
}

async function refused(page, what) {
  await page.getByRole("alert").getByText(what).waitFor();
  await page.getByRole("alert").getByText("What to do:").waitFor();
  await button(page).waitFor();
  check((await page.getByRole("navigation", { name: "Main" }).count()) === 0, "somebody is signed in");
  await pleasant(page);
  await page.goto(`${base}/integrations`);
  check(path(page) === "/sign-in", `whoever is refused sees ${page.url()}`);
}

const bob = await somebody();

await step("strangers are offered the identity provider, and sent on to it", async () => {
  await bob.page.goto(`${base}/integrations`);
  await button(bob.page).waitFor();
  check(await bob.page.getByLabel("API token").isHidden(), "the other way in is in the way");
  await pleasant(bob.page);
  await bob.page.getByText("With an API token").click();
  await bob.page.getByLabel("API token").waitFor();
  await pleasant(bob.page);
  await button(bob.page).click();
  check(bob.page.url().startsWith(issuer), `the button leads to ${bob.page.url()}`);
});

await step("whoever turns back at the provider is told so, and can try again", async () => {
  await bob.page.getByRole("link", { name: "Cancel" }).click();
  await bob.page.waitForURL(`${base}/**`);
  await refused(bob.page, "declined");
});

await step("somebody signs in, and is where they wanted to go", async () => {
  await bob.page.goto(`${base}/integrations?tab=project`);
  await asks(bob.page, "bob");
  check(path(bob.page) === "/integrations" && bob.page.url().endsWith("tab=project"), `they are at ${bob.page.url()}`);
  await bob.page.goto(`${base}/settings/profile`);
  await bob.page.getByText("The person bob").first().waitFor();
  await bob.page.getByText("bob@example.test").first().waitFor();
  await pleasant(bob.page);
});

let his;

await step("they connect an account", async () => {
  await bob.page.goto(`${base}/integrations/connect/gitlab`);
  await bob.page.getByLabel("Instance URL").fill(twin.url);
  await bob.page.getByLabel("Access token", { exact: true }).fill(twin.token);
  await bob.page.getByLabel("Alias").fill("Of bob");
  await bob.page.getByRole("button", { name: "Connect" }).click();
  await bob.page.getByText("The provider accepted").waitFor();
  const card = bob.page.getByRole("article").filter({ hasText: "Of bob" });
  his = await card.getByRole("link", { name: "Rename" }).getAttribute("href");
});

const cleo = await somebody();

await step("somebody else sees only their own", async () => {
  await cleo.page.goto(base);
  await asks(cleo.page, "cleo");
  await cleo.page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
  await cleo.page.goto(`${base}/integrations`);
  await cleo.page.getByRole("link", { name: "Connect GitLab" }).waitFor();
  check((await cleo.page.getByText("Of bob").count()) === 0, "another's integration is listed");
  const answer = await cleo.page.goto(base + his);
  check(answer.status() === 404, `another's integration is answered with ${answer.status()}`);
  await cleo.page.goto(`${base}/settings/profile`);
  await cleo.page.getByText("The person cleo").first().waitFor();
  for (const name of ["People", "Provider apps", "Audit"]) {
    check((await cleo.page.getByRole("link", { name, exact: true }).count()) === 0, `${name} is offered`);
  }
  const people = await cleo.page.goto(`${base}/settings/people`);
  check(people.status() === 403, `people are answered with ${people.status()}`);
});

await step("an address that nobody verified lets nobody in", async () => {
  const { page } = await somebody();
  await page.goto(`${base}/sign-in`);
  await asks(page, "unverified");
  await refused(page, "verified e-mail address");
});

await step("an answer that another browser asked for lets nobody in", async () => {
  const { page } = await somebody();
  await page.goto(`${base}/sign-in/oidc/callback?code=x&state=y`);
  await refused(page, "does not belong");
});

await step("somebody in the right group looks after people, and shuts one out", async () => {
  const { page } = await somebody();
  await page.goto(`${base}/settings/people`);
  await asks(page, "anna");
  check(path(page) === "/settings/people", `they are at ${page.url()}`);
  await page.getByRole("link", { name: "The person bob" }).click();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByText("Their browser sessions have ended").waitFor();
  await bob.page.goto(`${base}/integrations`);
  check(path(bob.page) === "/sign-in", `whoever is disabled sees ${bob.page.url()}`);
  // The provider still knows them, and asks for no password.
  await button(bob.page).click();
  await agrees(bob.page);
  await refused(bob.page, "disabled");
});

await step("signing out ends the session, and the way back in is short", async () => {
  await cleo.page.goto(base);
  const state = await cleo.context.storageState();
  await cleo.page.getByRole("button", { name: "Sign out" }).click();
  await cleo.page.getByText("You are signed out").waitFor();
  await button(cleo.page).waitFor();
  await pleasant(cleo.page);
  const thief = await browser.newContext({ storageState: state });
  const other = await thief.newPage();
  await other.goto(`${base}/integrations`);
  check(path(other) === "/sign-in", "the session goes on");
  await thief.close();
  await button(cleo.page).click();
  await agrees(cleo.page);
  await cleo.page.getByRole("heading", { name: "Home", level: 1 }).waitFor();
});

await done();
