// Makes of GitHub's description of its API (`@octokit/openapi`) what Prism serves for our tests: only the paths that we
// call, under /api/v3 as on a server of one's own.
import { readFileSync, writeFileSync } from "node:fs";

const PATHS = [
  "/app-manifests/{code}/conversions",
  "/app/installation-requests",
  "/app/installations/{installation_id}",
  "/app/installations/{installation_id}/access_tokens",
  "/applications/{client_id}/grant",
  "/credentials/revoke",
  "/installation/token",
  "/repos/{owner}/{repo}",
  "/repos/{owner}/{repo}/branches",
  "/repos/{owner}/{repo}/contents/{path}",
  "/repos/{owner}/{repo}/installation",
  "/repos/{owner}/{repo}/pulls",
  "/repos/{owner}/{repo}/pulls/{pull_number}",
  "/user",
  "/user/installations",
  "/user/installations/{installation_id}/repositories",
  "/user/repos",
];

const [from, to] = process.argv.slice(2);
const description = JSON.parse(readFileSync(from, "utf8"));

// GitHub answers its own media type, which it tells clients to ask for, and describes plain JSON only.
// And all its examples of listings claim to be followed by another page.
function adapt(node) {
  if (node === null || typeof node !== "object") return;
  delete node.headers?.Link;
  const json = node.content?.["application/json"];
  if (json) node.content["application/vnd.github+json"] = json;
  Object.values(node).forEach(adapt);
}

const paths = {};
for (const path of PATHS) {
  if (!description.paths[path]) throw new Error(`GitHub describes no ${path}`);
  paths[`/api/v3${path}`] = description.paths[path];
  for (const operation of Object.values(description.paths[path])) adapt(operation.responses);
}
adapt(description.components.responses);
const { openapi, info, components } = description;
writeFileSync(to, JSON.stringify({ openapi, info, paths, components }));
