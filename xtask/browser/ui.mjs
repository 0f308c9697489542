// Walks the web pages in a real browser, as `cargo xtask browser` starts it.
//
// SIGN_IN_URL   a one-time sign-in link of a fresh server
// TWIN          what the GitLab twin printed: JSON with url, token, cloneUrl, otherTokens; or else
//               GITLAB_URL, TOKEN and REPO name a GitLab, a token of it and a repository that the token may push to
// FORMS         a folder for pictures of every provider's form, as the documents show them; none if not given
//
// and what walk.mjs is told.

import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { browser, check, done, pleasant, somebody, step } from "./walk.mjs";

const env = process.env;
const twin = env.TWIN ? JSON.parse(env.TWIN) : { url: env.GITLAB_URL, token: env.TOKEN, cloneUrl: env.REPO };
const link = new URL(env.SIGN_IN_URL);
const base = env.BASE_URL ?? link.origin;
const branch = "feature/from-the-browser";
const { context, page } = await somebody();

const heading = (name) => page.getByRole("heading", { name, level: 1 });
const consented = () => page.getByRole("article").filter({ hasText: "By consent" });

async function register(slug, instance, id, secret) {
  await page.goto(`${base}/settings/apps/${slug}`);
  await page.getByLabel("Instance URL").fill(instance);
  await page.getByLabel("Client id").fill(id);
  await page.getByLabel("Client secret").fill(secret);
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByText("Registered. People can now connect").waitFor();
}

// The tabs of a project, of which one is where one is.
async function onTab(name) {
  const tabs = page.getByRole("navigation", { name: "Project" });
  const words = await tabs.getByRole("link").allTextContents();
  check(words.join() === "Repositories,Members,Secrets,Assistants,Webhooks,Settings", `the tabs are ${words}`);
  const current = await tabs.locator("[aria-current]").allTextContents();
  check(current.join() === name, `one is at ${current}`);
}

const card = () => page.getByRole("article").filter({ hasText: "Browser test" });

await step("strangers are sent to the sign-in page", async () => {
  await page.goto(`${base}/sessions`);
  await heading("Sign in").waitFor();
  await pleasant();
});

await step("a wrong API token is refused with a way on", async () => {
  await page.getByLabel("API token").fill("vkt_nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByText("valetkey tokens create").waitFor();
});

await step("a link is not used up by looking at it", async () => {
  for (let n = 0; n < 2; n++) {
    const seen = await context.request.get(link.href);
    check(seen.ok(), `status ${seen.status()}`);
  }
  await page.goto(link.href);
  await pleasant();
  await page.getByRole("button", { name: "Sign in" }).click();
  await heading("Home").waitFor();
  await page.getByText("Two steps to your first session").waitFor();
  await pleasant();
});

await step("a link works once", async () => {
  const stranger = await browser.newContext();
  const other = await stranger.newPage();
  await other.goto(link.href);
  await other.getByRole("button", { name: "Sign in" }).click();
  await other.getByText("used already").waitFor();
  await stranger.close();
});

await step("an unknown address has a page of its own", async () => {
  const answer = await page.goto(`${base}/nothing/here`);
  check(answer.status() === 404, `status ${answer.status()}`);
  await heading("There is nothing here").waitFor();
  await pleasant();
});

await step("a token that can't be one is refused beside its field, and the rest is kept", async () => {
  await page.goto(`${base}/integrations`);
  await pleasant();
  await page.getByRole("link", { name: "Connect GitLab" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Instance URL").fill(twin.url);
  await pleasant();
  const create = await dialog.getByRole("link", { name: /Create a token/ }).getAttribute("href");
  check(create.startsWith(twin.url), `the link leads to ${create}`);
  await dialog.getByLabel("Access token", { exact: true }).fill("x");
  await dialog.getByLabel("Alias").fill("Browser test");
  await dialog.getByRole("button", { name: "Connect" }).click();
  await page.getByText("Invalid GitLab token format").waitFor();
  check((await page.getByLabel("Instance URL").inputValue()) === twin.url, "the instance is lost");
  check((await page.getByLabel("Alias").inputValue()) === "Browser test", "the alias is lost");
  check((await page.getByLabel("Access token", { exact: true }).inputValue()) === "", "the token came back");
  await pleasant();
});

if (twin.otherTokens) {
  await step("an expired token is refused with what to do", async () => {
    await page.getByLabel("Access token", { exact: true }).fill(twin.otherTokens.expired);
    await page.getByRole("button", { name: "Connect" }).click();
    await page.getByText("has expired").waitFor();
    await page.getByText(/Create a new token/).first().waitFor();
  });
}

await step("GitLab is connected and says as whom", async () => {
  await page.getByLabel("Access token", { exact: true }).fill(twin.token);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("The provider accepted").waitFor();
  await card().getByText("Connected", { exact: true }).waitFor();
  if (twin.username) await card().getByText(twin.username, { exact: true }).first().waitFor();
  check(!(await page.content()).includes(twin.token), "the token is in the page");
  await pleasant();
});

await step("it can be tested and renamed", async () => {
  await card().getByRole("button", { name: "Test now" }).click();
  await page.getByText("Asked the provider").waitFor();
  await card().getByRole("link", { name: "Rename" }).click();
  await page.getByRole("dialog").getByLabel("Alias").fill("Browser test, renamed");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Browser test, renamed" }).waitFor();
});

if (twin.otherTokens) {
  await step("a revoked token does not replace a good one", async () => {
    await card().getByRole("link", { name: "Replace token" }).click();
    await page.getByRole("dialog").getByLabel("Access token").fill(twin.otherTokens.revoked);
    await page.keyboard.press("Enter");
    await page.getByText("was revoked").waitFor();
    await page.goto(`${base}/integrations`);
    await card().getByText("Connected", { exact: true }).waitFor();
  });
}

if (twin.oauth) {
  await step("the provider replaces a token by itself", async () => {
    await card().getByRole("link", { name: "Replace token" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Rotate now" }).click();
    await page.getByText("The provider made a new token").waitFor();
    await card().getByText("Connected", { exact: true }).waitFor();
  });

  await step("without an app one is told what works, and what to ask for", async () => {
    await page.goto(`${base}/integrations`);
    await page.getByRole("link", { name: "Connect Gitea" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("link", { name: "Sign in with Gitea" }).click();
    await dialog.getByText("no app is registered at Gitea").waitFor();
    await pleasant();
    await dialog.getByRole("navigation").getByRole("link", { name: "Access token" }).click();
    await dialog.getByLabel("Access token", { exact: true }).waitFor();
  });

  await step("an administrator registers an app", async () => {
    await page.goto(`${base}/settings/apps`);
    await pleasant();
    await page.getByRole("link", { name: "Register an app at GitLab" }).click();
    await page.getByText(`${base}/oauth/callback`, { exact: true }).waitFor();
    await pleasant();
    await register("gitlab", twin.url, twin.oauth.clientId, twin.oauth.clientSecret);
    await page.getByText(twin.oauth.clientId).waitFor();
    check(!(await page.content()).includes(twin.oauth.clientSecret), "the secret is in the page");
    await pleasant();
  });

  await step("GitLab is connected by consent", async () => {
    await page.goto(`${base}/integrations/connect/gitlab?method=oauth`);
    await pleasant();
    await page.getByLabel("Alias").fill("By consent");
    await page.getByRole("button", { name: /^Continue with GitLab/ }).click();
    await page.getByText("The provider accepted").waitFor();
    await consented().getByText("Consent in the browser").waitFor();
    await consented().getByText("Connected", { exact: true }).waitFor();
    await pleasant();
  });

  await step("consent can be given again, for the same account", async () => {
    await consented().getByRole("link", { name: "Connect again" }).click();
    await pleasant();
    await page.getByRole("dialog").getByRole("button", { name: /^Continue with GitLab/ }).click();
    await page.getByText("The provider accepted").waitFor();
    check((await consented().count()) === 1, "there are two now");
  });

  await step("a code is shown for another device, and the page waits", async () => {
    await page.goto(`${base}/integrations/connect/gitlab?method=oauth`);
    await page.getByRole("button", { name: "Use a code instead" }).click();
    await heading("Connect GitLab by a code").waitFor();
    const code = await page.getByLabel("Code", { exact: true }).textContent();
    await pleasant();
    await page.waitForResponse((response) => response.url() === page.url());
    await page.reload();
    check((await page.getByLabel("Code", { exact: true }).textContent()) === code, "the code is lost");
    const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
    const other = await plain.newPage();
    await other.goto(page.url());
    await other.waitForNavigation();
    check((await other.getByLabel("Code", { exact: true }).textContent()) === code, "without a script the code is lost");
    await plain.close();
  });

  await step("consent is taken back at the provider, too", async () => {
    await page.goto(`${base}/integrations`);
    await consented().getByRole("link", { name: "Disconnect" }).click();
    await page.getByRole("dialog").getByText("GitLab is asked to revoke it").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
    await page.getByText("The provider has revoked the credential").waitFor();
    check((await consented().count()) === 0, "it is still there");
  });

  await step("scopes are chosen by check boxes", async () => {
    await register("google", "", "1-x.apps.googleusercontent.com", "GOCSPX-none");
    await page.goto(`${base}/integrations/connect/google`);
    const group = page.getByRole("group", { name: "What agents may use" });
    check((await group.getByRole("checkbox").count()) > 3, "there is little to choose");
    await group.getByLabel("Gmail: send").check();
    await pleasant();
    await page.goto(`${base}/integrations/connect/github`);
    await pleasant();
    await page.goto(`${base}/integrations/connect/http?method=header`);
    await page.getByLabel("Header name").waitFor();
    await pleasant();
  });

  await step("a GitHub App is asked for by a form that goes to GitHub", async () => {
    await page.goto(`${base}/settings/apps`);
    await page.getByRole("link", { name: "Create a GitHub App" }).click();
    await pleasant();
    await page.getByRole("dialog").getByLabel("Organisation").fill("acme");
    await page.getByRole("dialog").getByRole("button", { name: "Next" }).click();
    await heading("On to GitHub").waitFor();
    await pleasant();
    const leaving = page.waitForRequest((request) => request.url().startsWith("https://github.com/organizations/acme/settings/apps/new"));
    await page.route("https://github.com/**", (route) => route.fulfill({ body: "GitHub" }));
    await page.getByRole("button", { name: "Continue to github.com" }).click();
    const manifest = new URLSearchParams((await leaving).postData()).get("manifest");
    check(JSON.parse(manifest).callback_urls[0] === `${base}/oauth/callback`, "GitHub is told another callback");
    await page.unroute("https://github.com/**");
  });

  if (env.FORMS) {
    await step("every provider's form has its picture", async () => {
      mkdirSync(env.FORMS, { recursive: true });
      // Tall enough for the longest, so that nothing that stays in sight is in the way.
      await page.setViewportSize({ width: 900, height: 1400 });
      for (const slug of ["github", "gitlab", "bitbucket", "bitbucket-dc", "gitea", "azure-devops", "jira", "google", "slack", "http"]) {
        await page.goto(`${base}/integrations/connect/${slug}`);
        await page.locator("[data-panel]").screenshot({ path: join(env.FORMS, `connect-${slug}.png`) });
      }
      await page.setViewportSize({ width: 1280, height: 900 });
    });
  }

  await step("an app is removed after asking", async () => {
    await page.goto(`${base}/settings/apps`);
    for (const name of ["Remove Google Workspace", "Remove GitLab"]) {
      await page.getByRole("link", { name }).click();
      await page.getByRole("dialog").getByText("No integration stands on it").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
      await page.getByText("Nobody can connect by it any more").waitFor();
    }
    await page.getByText("None yet.").waitFor();
  });
}

await step("a form with mistakes says where they are and keeps the rest", async () => {
  await page.goto(`${base}/sessions`);
  await page.getByText("No sessions yet").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "New session" }).first().click();
  await pleasant();
  await page.getByLabel("Task").fill("Add a file\n\nOne line is enough.");
  await page.getByLabel("URL").fill("not a repository");
  await page.getByLabel("Push to").fill("a..b");
  await page.getByRole("button", { name: "Start session" }).click();
  await page.getByText("A repository URL looks like").waitFor();
  await page.getByText("Not a branch name").waitFor();
  check((await page.getByLabel("Task").inputValue()).startsWith("Add a file"), "the task is lost");
  await pleasant();
});

await step("the form finds repositories and branches, and says what a session would use", async () => {
  const path = new URL(twin.cloneUrl).pathname.slice(1).replace(/\.git$/, "");
  const url = page.getByLabel("URL");
  await url.fill(path.split("/").pop());
  await page.getByText(/repositor(y|ies) found/).waitFor();
  const offered = await page.locator("#urls-0 option").evaluateAll((options) => options.map((option) => option.value));
  const chosen = offered.find((address) => address.endsWith(path));
  check(chosen, `only ${offered} is offered`);
  await page.getByLabel("Push to").fill("");
  // Chosen with the keyboard from the list, or typed: the form is told the same.
  await url.fill(chosen);
  await page.getByText("This session can push here").waitFor();
  await page.getByText("Why this one?").click();
  await page.getByText("is the only User Global integration").waitFor();
  await page.getByLabel("Start from").focus();
  await page.locator("#branches-0 option[value=main]").waitFor({ state: "attached" });
  await pleasant();
  await page.getByLabel("Start from").fill("");
  await url.fill(`${new URL(twin.cloneUrl).origin}/nobody/nothing`);
  await page.getByLabel("Push to").focus();
  await page.getByText("What to do:").waitFor();
  await pleasant();
  await url.fill("not a repository");
  check((await page.getByText("What to do:").count()) === 0, "the answer is for another repository");
});

await step("a repository can go without an integration if everybody may read it", async () => {
  const url = page.getByLabel("URL");
  await page.getByLabel("Integration").selectOption("none");
  await url.fill(twin.cloneUrl);
  await page.getByLabel("Push to").focus();
  await page.getByText("not for everybody to read").waitFor();
  if (twin.publicCloneUrl) {
    await url.fill(twin.publicCloneUrl);
    await page.getByLabel("Push to").focus();
    await page.getByText("This session can read here, and pushes nothing.").waitFor();
  }
  await pleasant();
  await page.getByLabel("Integration").selectOption("");
  await url.fill("not a repository");
});

await step("rows for repositories come and go", async () => {
  await page.getByRole("button", { name: "Add repository" }).click();
  check((await page.getByLabel("URL").count()) === 2, "there is no second row");
  await page.getByRole("button", { name: "Remove repository 2" }).click();
  check((await page.getByLabel("URL").count()) === 1, "the second row stays");
  check((await page.getByLabel("URL").inputValue()) === "not a repository", "the wrong row went");
});

// It waits for nothing but itself: long enough to be seen running, short enough for a test.
const agent = [
  "echo first line; echo to stderr >&2",
  'printf "\\033[32mgreen\\033[0m <b>not bold</b>\\n"',
  'printf "10%%\\r100%%\\n"; printf "half a line, "; sleep 0.3; echo between >&2; sleep 0.3; echo the other half',
  "for n in 1 2 3 4; do echo tick $n; sleep 0.5; done",
  "echo changed > from-the-browser.txt; echo last line",
].join("; ");

await step("a session runs, and its log arrives while it does", async () => {
  await page.getByLabel("URL").fill(twin.cloneUrl);
  await page.getByLabel("Push to").fill(branch);
  await page.getByLabel("Agent command").fill(`sh -c '${agent}'`);
  await page.getByRole("button", { name: "Start session" }).click();
  await heading("Add a file").waitFor();
  await page.getByText("tick 1", { exact: true }).waitFor();
  check((await page.getByText("last line", { exact: true }).count()) === 0, "the log came only at the end");
  await page.getByRole("link", { name: "Stop" }).waitFor();
});

await step("it completes with a link to the branch", async () => {
  await page.getByText("AgenticSession completed successfully!").first().waitFor();
  await page.getByText("View changes in GitLab:").first().waitFor();
  const url = await page.getByRole("link", { name: "View branch" }).getAttribute("href");
  check(url.endsWith(`/-/tree/${branch}`), `the link leads to ${url}`);
  const log = page.getByRole("log");
  await log.getByText("last line", { exact: true }).waitFor();
  const lines = (source) => log.locator(`.line.${source}`).allTextContents();
  check((await lines("stderr")).join() === "to stderr,between", "stderr is not told apart");
  check((await lines("stdout")).includes("half a line, the other half"), "a line is torn apart");
  check((await lines("stdout")).includes("100%"), "a progress bar is not overwritten");
  check((await log.locator(".c2").first().textContent()) === "green", "colours are lost");
  check((await log.getByText("<b>not bold</b>").count()) === 1, "markup of the log is not text");
  check((await page.locator(".step.done").count()) === 6, "not every step is done");
  await pleasant();
});

await step("what changed is shown where one asks for it", async () => {
  const file = page.locator("details.file").filter({ hasText: "from-the-browser.txt" });
  await file.getByText("lines added").waitFor({ state: "attached" });
  // By keyboard: the summary is a button of its own.
  await file.locator("summary").focus();
  await page.keyboard.press("Enter");
  await file.getByRole("cell", { name: "changed", exact: true }).waitFor();
  check((await file.locator("tr.added td").allTextContents()).join("|") === "|1|+|changed", "the line is not numbered");
  await pleasant();
  await page.getByText("Why this one?").click();
  await page.getByRole("link", { name: "All diffs" }).click();
  await heading("Changed files").waitFor();
  await page.getByRole("cell", { name: "changed", exact: true }).waitFor();
  await pleasant();
  const patch = await context.request.get(page.url().replace("/changes", "/patch"));
  check((await patch.text()).includes("+changed"), "the patch lacks the line");
  await page.goBack();
});

await step("the page is the same after a reload", async () => {
  const text = async () => (await page.getByRole("log").locator(".line").allTextContents()).join("\n");
  const live = await text();
  await page.reload();
  const served = await text();
  check(served === live, `live:\n${live}\nserved:\n${served}`);
  check((await page.locator("#overview [data-branch-link]").count()) === 1, "the branch link is lost");
});

await step("the log can be searched and read as text", async () => {
  await page.getByLabel("Find in log").fill("TICK");
  await page.getByText("4 matches").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("1 of 4").waitFor();
  await page.keyboard.press("Shift+Enter");
  await page.getByText("4 of 4").waitFor();
  await page.getByRole("button", { name: "Next match" }).click();
  await page.getByText("1 of 4").waitFor();
  const visible = () => page.getByRole("log").locator(".line:visible").count();
  check((await visible()) > 4, "lines are hidden without being asked");
  await page.getByLabel("Only matches").check();
  check((await visible()) === 4, "other lines are still shown");
  await pleasant();
  await page.getByLabel("Only matches").uncheck();
  await page.getByLabel("Find in log").fill("");
  const whole = await context.request.get(`${page.url()}/log`);
  check((await whole.text()).includes("last line"), "the text lacks lines");
  const found = await context.request.get(`${page.url()}/log?q=TICK`);
  check((await found.text()).trim().split("\n").length === 4, "the text is not searched");
});

await step("run again starts from the same form", async () => {
  await page.getByRole("link", { name: "Run again" }).click();
  check((await page.getByLabel("Task").inputValue()).includes("One line is enough."), "the task is lost");
  check((await page.getByLabel("Push to").inputValue()) === branch, "the branch is lost");
});

await step("a session can be stopped", async () => {
  await page.getByLabel("Task").fill("Wait for ever");
  await page.getByLabel("Push to").fill("feature/never");
  await page.getByLabel("Agent command").fill("sh -c 'echo waiting; exec sleep 600'");
  await page.getByRole("button", { name: "Start session" }).click();
  await page.getByRole("log").getByText("waiting", { exact: true }).waitFor();
  await page.goto(`${base}/integrations`);
  await card().getByRole("link", { name: "Disconnect" }).click();
  await page.getByRole("dialog").getByRole("link", { name: "Wait for ever" }).waitFor();
  await pleasant();
  await page.getByRole("dialog").getByRole("link", { name: "Wait for ever" }).click();
  await page.getByRole("link", { name: "Stop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop session" }).click();
  await page.getByRole("status").getByText("Stopped", { exact: true }).waitFor();
});

await step("home and the list show what happened", async () => {
  await page.goto(`${base}/sessions`);
  await page.getByRole("link", { name: "Add a file" }).waitFor();
  await pleasant();
  await page.getByLabel("Status").selectOption("Stopped");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("link", { name: "Wait for ever" }).waitFor();
  check((await page.getByRole("link", { name: "Add a file" }).count()) === 0, "the filter does nothing");
  await page.getByLabel("Find").fill("from nowhere");
  await page.keyboard.press("Enter");
  await page.getByText("No session matches").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "Show all sessions" }).click();
  await page.getByRole("link", { name: "Add a file" }).waitFor();
  await page.getByRole("link", { name: "Home", exact: true }).click();
  await page.getByText("Ended lately").waitFor();
  await pleasant();
});

const start = (task, script) => context.request.post(`${base}/api/v1/projects/default/sessions`, {
  data: { task, repositories: [{ url: twin.cloneUrl, pushBranch: "feature/followed" }], agent: { command: ["sh", "-c", script] } },
});
const row = (name) => page.getByRole("listitem").filter({ has: page.getByRole("link", { name }) });

await step("a list follows what happens, and leaves alone what somebody is at", async () => {
  await page.goto(`${base}/sessions`);
  await page.evaluate(() => (window.loadedOnce = true));
  await page.getByLabel("Find").fill("typed, and not sent");
  const link = page.getByRole("link", { name: "Add a file" });
  await link.focus();
  await page.setViewportSize({ width: 1280, height: 320 });
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  const scrolled = () => page.evaluate(() => scrollY);
  const before = await scrolled();
  check(before > 0, "there is nothing to scroll");
  const started = await start("Follow me", "sleep 4");
  check(started.status() === 201, `status ${started.status()}`);
  await row("Follow me").getByText("Running", { exact: true }).waitFor();
  await page.getByRole("status").filter({ hasText: "1 session under way" }).waitFor({ state: "attached" });
  await row("Follow me").getByText("Completed", { exact: true }).waitFor();
  await row("Follow me").getByText("by you").waitFor();
  await page.getByRole("status").filter({ hasText: "No session under way" }).waitFor({ state: "attached" });
  check(await page.evaluate(() => window.loadedOnce), "the page was loaded anew");
  check((await scrolled()) === before, `it was scrolled to ${before} px and is at ${await scrolled()} px`);
  check((await page.getByLabel("Find").inputValue()) === "typed, and not sent", "what was typed is lost");
  check(await link.evaluate((node) => node === document.activeElement), "the focus is lost");
  await page.setViewportSize({ width: 1280, height: 900 });
  await pleasant();
});

await step("home follows too", async () => {
  await page.goto(base);
  await page.evaluate(() => (window.loadedOnce = true));
  await start("Follow me home", "sleep 3; exit 3");
  await page.getByRole("region", { name: "Under way" }).getByRole("link", { name: "Follow me home" }).waitFor();
  await page.getByRole("region", { name: "Needs attention" }).getByRole("link", { name: "Follow me home" }).waitFor();
  check((await page.getByRole("heading", { name: "Under way" }).count()) === 0, "it is still under way");
  check(await page.evaluate(() => window.loadedOnce), "the page was loaded anew");
  await pleasant();
});

await step("a session that is over is deleted by the keyboard, after asking", async () => {
  await page.getByRole("link", { name: "Follow me home" }).click();
  await page.getByRole("link", { name: "Delete", exact: true }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("its log", { exact: true }).waitFor();
  await dialog.getByText("its workspace with all that was not pushed").waitFor();
  await pleasant();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  check((await page.evaluate(() => document.activeElement.id)) === "delete", "the focus is lost");
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Delete session" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("Deleted: its record, its log").waitFor();
  await row("Add a file").waitFor();
  check((await row("Follow me home").count()) === 0, "it is still there");
  await pleasant();
});

await step("a secret is set, replaced and deleted, and never shown", async () => {
  await page.getByRole("link", { name: "Secrets", exact: true }).click();
  await page.getByText("No secrets yet").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "New secret" }).click();
  await pleasant();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("NPM_TOKEN");
  await dialog.getByLabel("Value").fill("npm_from-the-browser");
  await dialog.getByLabel("What it is for").fill("Publishes packages");
  await dialog.getByRole("button", { name: "Keep" }).click();
  await page.getByText("Sessions that start from now on get it").waitFor();
  await page.getByText("Publishes packages").waitFor();
  check(!(await page.content()).includes("npm_from-the-browser"), "the value is in the page");
  await pleasant();
  await page.getByRole("link", { name: "Replace NPM_TOKEN" }).click();
  await pleasant();
  check((await dialog.getByLabel("What it is for").inputValue()) === "Publishes packages", "the description is lost");
  check((await dialog.getByLabel("Value").inputValue()) === "", "the value came back");
  await dialog.getByLabel("Value").fill("npm_another-from-the-browser");
  await dialog.getByRole("button", { name: "Replace" }).click();
  await page.getByText("Sessions that start from now on get it").waitFor();
  await page.getByRole("link", { name: "Delete NPM_TOKEN" }).click();
  await dialog.getByText("It is erased here").waitFor();
  await pleasant();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("No secrets yet").waitFor();
  await pleasant();
});

await step("a short secret warns, and one in place of a provider's token says so", async () => {
  const dialog = page.getByRole("dialog");
  for (const [name, value] of [["GITLAB_TOKEN", "glpat-that-may-do-less"], ["PIN", "1234"]]) {
    await page.getByRole("link", { name: "New secret" }).click();
    await dialog.getByLabel("Name").fill(name);
    await dialog.getByLabel("Value").fill(value);
    await dialog.getByRole("button", { name: "Keep" }).click();
    await page.getByRole("link", { name: `Replace ${name}` }).waitFor();
  }
  await page.getByText("PIN is too short to be hidden").waitFor();
  await page.getByText("in place of the GitLab token").waitFor();
  await pleasant();
  await page.getByLabel("Search").fill("nothing like it");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("Nothing here matches").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "Show all" }).click();
  for (const name of ["GITLAB_TOKEN", "PIN"]) {
    await page.getByRole("link", { name: `Delete ${name}` }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByText("go without it").waitFor();
  }
  await page.getByText("No secrets yet").waitFor();
  await pleasant();
});

await step("a project is made, and its name is looked at", async () => {
  await page.getByRole("link", { name: "Projects", exact: true }).click();
  await page.getByRole("link", { name: "New project" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Web Shop");
  await dialog.getByRole("button", { name: "Create project" }).click();
  await page.getByText("Project name must be 1 to 63").waitFor();
  await page.getByLabel("Name").fill("web-shop");
  await page.getByLabel("Description").fill("Made in the browser.");
  await page.getByRole("button", { name: "Create project" }).click();
  await page.getByText("Your project is made").waitFor();
  await page.getByText("No repositories yet").waitFor();
  await pleasant();
});

await step("a repository is found through the account, added and checked", async () => {
  await page.getByRole("link", { name: "Add repositories" }).click();
  const path = new URL(twin.cloneUrl).pathname.slice(1).replace(/\.git$/, "");
  await page.getByRole("searchbox").fill(path.split("/").at(-1));
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("button", { name: `Add ${path}`, exact: true }).click();
  await page.getByText("in the project").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "web-shop" }).click();
  await page.getByText("Can push").waitFor();
  await page.getByRole("button", { name: "Check again" }).click();
  await page.getByText("Asked the provider").waitFor();
  await pleasant();
});

await step("somebody is added, gets another role and is removed", async () => {
  await page.getByRole("link", { name: "Members" }).click();
  await page.getByLabel("Address, group or id").fill("Ann@example.com");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByLabel("Role of ann@example.com").waitFor();
  await page.getByLabel("Role of ann@example.com").selectOption("viewer");
  await page.getByRole("button", { name: "Save the role of ann@example.com" }).click();
  await page.getByText("from their next request on").waitFor();
  check((await page.getByLabel("Role of ann@example.com").inputValue()) === "viewer", "the role is not kept");
  await pleasant();
  await page.getByRole("link", { name: "Remove ann@example.com" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("They are out of the project").waitFor();
});

await step("the example of a push pattern follows what is typed", async () => {
  await page.getByRole("link", { name: "Settings" }).last().click();
  await page.getByLabel("Push branches").fill("agents/{user}/{session}");
  check(/^agents\/administrator\/[0-9a-f]{12}$/.test(await page.locator("#pattern-branch").textContent()), "no example");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("It holds for sessions that start from now on").waitFor();
  await page.getByText("Sessions push to agents/{user}/{session}").waitFor();
  await pleasant();
});

await step("an integration says what uses it", async () => {
  await page.goto(`${base}/integrations`);
  await card().getByRole("link", { name: "Used by" }).click();
  await page.getByRole("dialog").getByText("in web-shop").waitFor();
  await pleasant();
  await page.getByRole("dialog").getByRole("link", { name: "Close" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await pleasant();
});

await step("a project has secrets of its own", async () => {
  await page.goto(`${base}/projects/web-shop`);
  await page.getByRole("navigation", { name: "Project" }).getByRole("link", { name: "Secrets" }).click();
  await page.getByText("--project web-shop").waitFor();
  await onTab("Secrets");
  await pleasant();
  await page.getByRole("link", { name: "New secret" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("DEPLOY_KEY");
  await dialog.getByLabel("Value").fill("first line\nsecond line");
  await dialog.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("link", { name: "Replace DEPLOY_KEY" }).waitFor();
  await pleasant();
});

// Who is told of what happens in the project: it takes everything.
const told = [];
const receiver = createServer((request, answer) => {
  told.push(request.headers["webhook-id"]);
  request.resume().on("end", () => answer.writeHead(204).end());
});
await new Promise((done) => receiver.listen(0, "127.0.0.1", done));
const hook = `http://127.0.0.1:${receiver.address().port}/told`;

await step("a webhook is added, and its secret is shown once", async () => {
  await page.goto(`${base}/projects/web-shop/assistants`);
  await onTab("Assistants");
  await page.getByRole("link", { name: "Webhooks" }).click();
  await page.getByText("No webhooks yet").waitFor();
  await onTab("Webhooks");
  await pleasant();
  await page.getByRole("link", { name: "Add webhook" }).click();
  await pleasant();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("URL").fill("http://ci.example.com/told");
  await dialog.getByRole("button", { name: "Add webhook" }).click();
  await page.getByRole("alert").waitFor();
  await pleasant();
  await page.getByLabel("URL").fill(hook);
  await page.getByLabel("What it is for").fill("Tells the chat");
  await page.getByRole("button", { name: "Add webhook" }).click();
  await heading("Webhook added").waitFor();
  const secret = await page.getByLabel("Signing secret").textContent();
  check(secret.length > 20, `the secret is ${secret.length} characters long`);
  await pleasant();
  await page.getByRole("link", { name: "Done" }).click();
  await page.getByText("Nothing was sent yet").waitFor();
  await onTab("Webhooks");
  check(!(await page.content()).includes(secret), "the secret is shown again");
  await pleasant();
});

await step("a test is sent to the webhook, and the log says what came of it", async () => {
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByText("The test was sent, and the receiver took it").waitFor();
  check(told.length === 1, `the receiver was told ${told.length} times`);
  await page.getByText("status 204").waitFor();
  await page.getByText("What it says").click();
  await page.getByText(told[0], { exact: true }).waitFor();
  await pleasant();
  await page.getByRole("button", { name: /^Send again/ }).click();
  await page.getByText("It is sent again now").waitFor();
  await pleasant();
});

await step("a webhook is edited, disabled and deleted", async () => {
  await page.getByRole("link", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await pleasant();
  await dialog.getByLabel("What it is for").fill("Tells the chat, renamed");
  await dialog.getByRole("button", { name: "Save" }).click();
  await heading("Tells the chat, renamed").waitFor();
  await page.getByRole("link", { name: "Replace secret" }).click();
  await pleasant();
  await dialog.getByRole("link", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Disable" }).click();
  await page.getByText("Nothing is sent to it").waitFor();
  await pleasant();
  await page.getByRole("navigation", { name: "Project" }).getByRole("link", { name: "Webhooks" }).click();
  await page.getByRole("link", { name: "Tells the chat, renamed" }).waitFor();
  await pleasant();
  await page.getByRole("link", { name: "Tells the chat, renamed" }).click();
  await page.getByRole("link", { name: "Delete" }).click();
  await pleasant();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("No webhooks yet").waitFor();
  await pleasant();
});

receiver.close();

await step("an API token is for one project and for reading, is shown once and ends", async () => {
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "API tokens" }).click();
  await heading("API tokens").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "New token" }).click();
  await pleasant();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("What it is for").fill("Dashboard");
  await dialog.getByLabel("Where").selectOption("Only in web-shop");
  await dialog.getByLabel("What", { exact: true }).selectOption("Only read");
  await dialog.getByLabel("Days until it ends").fill("30");
  await dialog.getByRole("button", { name: "Make token" }).click();
  const token = await page.getByLabel("API token", { exact: true }).textContent();
  await pleasant();
  const ask = async (method, path) => (await fetch(`${base}/api/v1${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status;
  check((await ask("GET", "/projects/web-shop")) === 200, "it can't read");
  check((await ask("DELETE", "/projects/web-shop")) === 403, "it can do more than read");
  check([403, 404].includes(await ask("GET", "/projects/default")), "it reads another project");
  await page.getByRole("link", { name: "Done" }).click();
  const row = page.getByRole("listitem").filter({ hasText: "Dashboard" });
  await row.getByText("in web-shop").waitFor();
  await row.getByText("reads only").waitFor();
  check(!(await page.content()).includes(token), "the token is shown again");
  await pleasant();
  await page.getByRole("link", { name: "End Dashboard" }).click();
  await pleasant();
  await dialog.getByRole("button", { name: "End token" }).click();
  await page.getByText("Whatever used the token is refused").waitFor();
  check((await row.count()) === 0, "it is still there");
  check((await ask("GET", "/projects/web-shop")) === 401, "it is still good");
  await pleasant();
});

await step("the profile says who one is, and which browsers are signed in", async () => {
  await page.getByRole("link", { name: "Profile" }).click();
  await heading("Profile").waitFor();
  await page.getByText("this browser").waitFor();
  await page.getByText("the built-in administrator").first().waitFor();
  await pleasant();
});

await step("people are found, and one of them is looked at", async () => {
  await page.getByRole("navigation", { name: "Settings" }).getByRole("link", { name: "People" }).click();
  await heading("People").waitFor();
  await pleasant();
  await page.getByLabel("Name or e-mail address").fill("nobody of this name");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByText("Nobody is called so").waitFor();
  await pleasant();
  await page.getByLabel("Name or e-mail address").fill("");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("main").getByRole("listitem").getByRole("link").first().click();
  await page.getByRole("dialog").getByText("who signs in by a one-time link").waitFor();
  await pleasant();
});

await step("the audit trail is narrowed, verified and offered as a file", async () => {
  await page.goto(`${base}/audit`);
  await page.getByRole("strong").filter({ hasText: "End an API token" }).first().waitFor();
  await pleasant();
  await page.getByText("Filter", { exact: true }).first().click();
  await page.getByLabel("Project").selectOption("web-shop");
  await page.getByLabel("Action begins with").fill("POST /projects/{project}/secrets");
  await pleasant();
  await page.getByRole("button", { name: "Filter" }).click();
  const actions = await page.getByRole("main").getByRole("strong").allTextContents();
  check(actions.join() === "Keep a project's secret", `listed are ${actions}`);
  await pleasant();
  const file = await page.getByRole("link", { name: "Export" }).getAttribute("href");
  const lines = (await (await context.request.get(new URL(file, base).href)).text()).trim().split("\n");
  check(lines.length === 1 && lines[0].includes("/secrets/set"), `the file has ${lines.length} lines`);
  await page.getByLabel("Action begins with").fill("nothing.like.it");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("Nothing of this kind was recorded").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "Verify" }).click();
  await page.getByText(/^All \d+ entries/).waitFor();
  await pleasant();
});

await step("the API is described on a page of its own", async () => {
  await page.goto(`${base}/api/docs`);
  await page.getByText("/api/v1/projects/{project}/losses").click();
  await page.getByText("What would be lost with a project, before it is deleted").waitFor();
  await pleasant();
  await page.getByRole("link", { name: "Valetkey", exact: true }).click();
  await heading("Home").waitFor();
});

await step("the navigation fits every width", async () => {
  for (const path of ["/integrations", "/settings/tokens", "/projects/web-shop"]) {
    await page.goto(base + path);
    for (let width = 320; width <= 1400; width += 20) {
      await page.setViewportSize({ width, height: 800 });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(over <= 0, `${path} is ${over} px too wide at ${width} px`);
      const hidden = await page.getByRole("navigation").evaluateAll((navs) => navs.filter((nav) => nav.scrollWidth > nav.clientWidth).map((nav) => nav.ariaLabel));
      check(hidden.length === 0, `at ${width} px a part of ${hidden} on ${path} is out of sight`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
});

await step("a project is deleted once its name is typed", async () => {
  await page.goto(`${base}/projects/web-shop/settings`);
  await page.getByRole("link", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  for (const lost of ["1 repository,", "1 secret", "1 member"]) await dialog.getByText(lost).first().waitFor();
  await dialog.getByText("DEPLOY_KEY").waitFor();
  await pleasant();
  await dialog.getByLabel("Type web-shop to confirm").fill("web-shop");
  await dialog.getByRole("button", { name: "Delete the project" }).click();
  await page.getByText("The project is deleted").waitFor();
  check((await page.getByRole("link", { name: "web-shop" }).count()) === 0, "it is still there");
  await pleasant();
});

await step("the theme is kept", async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  const button = page.getByRole("button", { name: /theme/ });
  await button.click();
  await button.click();
  const dark = await ground();
  await page.reload();
  check(dark !== light && (await ground()) === dark, "the theme is not kept");
  await button.click();
});

// Goes on by Tab until what has the focus is called so.
async function tabTo(name) {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press("Tab");
    const called = await page.evaluate(() => {
      const it = document.activeElement;
      return (it.labels?.[0] ?? it).textContent.trim();
    });
    if (called.startsWith(name)) return;
  }
  throw new Error(`Tab does not lead to ${name}`);
}

await step("a session is started and read by the keyboard alone, from home", async () => {
  await page.goto(`${base}/`);
  await tabTo("New session");
  await page.keyboard.press("Enter");
  await heading("New session").waitFor();
  await page.keyboard.type("By keyboard");
  for (const [field, text] of [
    ["URL", twin.cloneUrl],
    ["Push to", "feature/keys"],
    ["Agent command", "sh -c 'echo typed > keys.txt'"],
  ]) {
    await tabTo(field);
    await page.keyboard.type(text);
  }
  await tabTo("Start session");
  await page.keyboard.press("Enter");
  await heading("By keyboard").waitFor();
  await page.getByRole("link", { name: "View branch" }).waitFor();
  await tabTo("View branch");
  const branch = await page.evaluate(() => document.activeElement.href);
  check(branch.endsWith("feature/keys"), `the branch is at ${branch}`);
  await tabTo("Whole log as text");
});

await step("what one comes for is at most two clicks from home", async () => {
  for (const [clicks, reached] of [
    [["New session"], heading("New session")],
    [["By keyboard"], heading("By keyboard")],
    [["Connect an account", "Connect GitHub"], page.getByLabel("Personal access token", { exact: true })],
  ]) {
    await page.goto(`${base}/`);
    for (const link of clicks) await page.getByRole("link", { name: link }).first().click();
    await reached.first().waitFor();
  }
});

await step("the keyboard alone is enough", async () => {
  await page.goto(`${base}/integrations`);
  await page.keyboard.press("Tab");
  check((await page.evaluate(() => document.activeElement.textContent)) === "Skip to content", "no skip link");
  await page.keyboard.press("Enter");
  await card().getByRole("link", { name: "Rename" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  check((await page.evaluate(() => document.activeElement.textContent)).includes("Rename"), "the focus is lost");
});

await step("the pages work without a script", async () => {
  const plain = await browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  const other = await plain.newPage();
  await other.goto(`${base}/sessions`);
  await other.getByRole("link", { name: "Add a file" }).click();
  await other.getByText("last line", { exact: true }).waitFor();
  await other.locator("details.file summary").click();
  await other.getByRole("link", { name: "Show what changed" }).click();
  await other.getByRole("cell", { name: "changed", exact: true }).waitFor();
  await other.goBack();
  await other.getByLabel("Find in the whole log").fill("tick 3");
  await other.getByRole("button", { name: "Find" }).click();
  check((await other.textContent("body")).trim() === "tick 3", "the log is not searched");
  await other.goto(`${base}/sessions/new`);
  await other.getByLabel("URL").fill(twin.cloneUrl);
  await other.getByRole("button", { name: "Check access" }).click();
  await other.getByText("This session can push here").waitFor();
  await other.goto(`${base}/integrations`);
  await other.getByRole("link", { name: "Rename" }).click();
  await other.getByLabel("Alias").fill("Browser test");
  await other.getByRole("button", { name: "Rename" }).click();
  await other.getByText("Renamed.").waitFor();
  await plain.close();
});

const rowOf = (name) => page.getByRole("listitem").filter({ has: page.getByLabel(name, { exact: true }) });

await step("an account is added in the form of the assistant that needs it", async () => {
  await page.goto(`${base}/assistants`);
  await heading("Assistants").waitFor();
  await page.getByRole("link", { name: "New assistant" }).first().click();
  await page.getByLabel("Name").fill("Release manager");
  await page.getByLabel("Instructions").fill("Leave a note.");
  await page.getByLabel("Agent command").fill("sh -c 'echo told: $VALETKEY_INSTRUCTIONS'");
  await page.getByLabel("Only these:").check();
  await rowOf("GitLab").getByRole("link", { name: "Add User Integration" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Instance URL").fill(twin.url);
  await dialog.getByLabel("Access token").fill("nonsense");
  await dialog.getByLabel("Alias").fill("For the assistant");
  await dialog.getByRole("button", { name: "Connect" }).click();
  await dialog.locator(".field-problem").waitFor();
  check((await dialog.getByLabel("Alias").inputValue()) === "For the assistant", "what was typed is lost");
  await dialog.getByLabel("Access token").fill(twin.otherTokens.another);
  await dialog.getByRole("button", { name: "Connect" }).click();
  await dialog.waitFor({ state: "detached" });
  const chosen = await page.getByLabel("GitLab", { exact: true }).evaluate((select) => select.selectedOptions[0].text);
  check(chosen === "For the assistant (yours alone)", `chosen is ${chosen}`);
  check((await page.getByLabel("Name").inputValue()) === "Release manager", "the form was loaded anew");
  check((await page.evaluate(() => document.activeElement.id)) === "slot-gitlab", "the focus is lost");
  await pleasant();
});

await step("an assistant with something missing is saved after asking", async () => {
  await page.getByLabel("Jira", { exact: true }).selectOption("automatic");
  await page.getByRole("button", { name: "Create assistant" }).click();
  await page.getByText("These tools have no integration").waitFor();
  check((await page.getByLabel("Instructions").inputValue()) === "Leave a note.", "what was typed is lost");
  await pleasant();
  await page.getByRole("button", { name: "Save anyway" }).click();
  await page.getByText("Created. Everybody in the project").waitFor();
  await page.getByText("Jira: missing integration").waitFor();
  await pleasant();
});

await step("a session starts from the assistant", async () => {
  await page.getByRole("link", { name: "Start session" }).click();
  await page.getByText("From the assistant Release manager").waitFor();
  await page.getByLabel("Task").fill("Say what you were told");
  await page.getByLabel("URL", { exact: true }).fill(twin.cloneUrl);
  await page.getByRole("button", { name: "Start session" }).click();
  await page.getByText("told: Leave a note.", { exact: true }).waitFor();
  await page.getByText("is pinned by the assistant").first().waitFor({ state: "attached" });
  await page.getByText("Nothing changed").first().waitFor();
});

if (twin.oauth) {
  await step("consent for a form happens in another tab, and the form finds what came of it", async () => {
    await register("gitlab", twin.url, twin.oauth.clientId, twin.oauth.clientSecret);
    await page.goto(`${base}/projects/default/assistants/new`);
    await page.getByLabel("Name").fill("By consent");
    await page.getByLabel("Only these:").check();
    await rowOf("GitLab").getByRole("link", { name: "Add User Integration" }).click();
    await page.getByRole("dialog").getByRole("link", { name: "Sign in with GitLab" }).click();
    const onward = page.getByRole("button", { name: /Continue with GitLab/ });
    // Both ways have a field for the alias.
    await onward.waitFor();
    await page.getByLabel("Alias").fill("By consent");
    const [tab] = await Promise.all([context.waitForEvent("page"), onward.click()]);
    await tab.getByText("The provider accepted").waitFor();
    await tab.close();
    await page.bringToFront();
    await page.evaluate(() => dispatchEvent(new Event("focus")));
    await page.getByText("Connected, and chosen: By consent (yours alone)").waitFor({ state: "attached" });
    check((await page.getByLabel("Name").inputValue()) === "By consent", "the form was loaded anew");
  });
}

await step("deleting an assistant asks first", async () => {
  await page.goto(`${base}/projects/default/assistants`);
  await page.getByRole("link", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("No assistants yet").waitFor();
  await pleasant();
});

if (twin.otherTokens) {
  await step("an account is shared with a project, and its integrations are found", async () => {
    await page.goto(`${base}/integrations?tab=project`);
    await page.getByText("Your projects have no integrations yet").waitFor();
    await pleasant();
    await page.getByRole("navigation", { name: "Whose integrations" }).getByRole("link", { name: "User" }).click();
    await page.getByRole("article").filter({ hasText: "For the assistant" }).getByRole("link", { name: "Share with a project" }).click();
    const dialog = page.getByRole("dialog");
    check((await dialog.getByLabel("Instance URL").inputValue()) === twin.url, "the instance is lost");
    const level = await dialog.getByLabel("Who may use it").inputValue();
    check(level === "project:default", `it would be for ${level}`);
    await pleasant();
    await dialog.getByLabel("Access token", { exact: true }).fill(twin.otherTokens.another);
    await dialog.getByLabel("Alias").fill("For the team");
    await dialog.getByRole("button", { name: "Connect" }).click();
    await page.getByText("The provider accepted").waitFor();
    await page.goto(`${base}/integrations?tab=project`);
    const team = page.getByRole("article").filter({ hasText: "For the team" });
    await team.getByText("everybody in default").waitFor();
    await pleasant();
    await page.getByLabel("Type").selectOption("Jira");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("Nothing here matches").waitFor();
    await pleasant();
    await page.getByRole("link", { name: "Show all" }).click();
    await page.getByLabel("Search").fill("the team");
    await page.getByLabel("Project").selectOption("default");
    await page.getByLabel("Status").selectOption("Connected");
    await page.getByRole("button", { name: "Filter" }).click();
    await team.waitFor();
    await pleasant();
  });
}

await step("disconnecting asks first, and then it is gone", async () => {
  await page.goto(`${base}/integrations`);
  await card().getByRole("link", { name: "Disconnect" }).click();
  await page.getByRole("dialog").getByText("No session uses it now").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  await page.getByText("The provider has revoked the credential").waitFor();
  check((await card().count()) === 0, "it is still there");
});

await step("signing out ends the session on the server", async () => {
  const state = await context.storageState();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("You are signed out").waitFor();
  const thief = await browser.newContext({ storageState: state });
  const other = await thief.newPage();
  await other.goto(`${base}/sessions`);
  await other.getByRole("heading", { name: "Sign in", level: 1 }).waitFor();
  await thief.close();
});

await done();
