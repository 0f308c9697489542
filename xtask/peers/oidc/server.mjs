// A certified authorization server, set up as strictly as it can be: PKCE for everybody, refresh tokens used once, and their
// reuse ends the authorization. Everything is in memory. Its first line of output is its address; it ends with its input.
//
// Nobody sits before it: whoever arrives is signed in and agrees, unless `login_hint=declines` comes with the request.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const REDIRECT = "http://127.0.0.1:1/oauth/callback";
const GRANTS = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
const client = (client_id, token_endpoint_auth_method, client_secret) => ({
  client_id,
  client_secret,
  token_endpoint_auth_method,
  redirect_uris: [REDIRECT],
  grant_types: GRANTS,
  response_types: ["code"],
});

const configuration = {
  clients: [
    // Letters that only arrive whole if both sides encode them as RFC 6749 says.
    client("with basic", "client_secret_basic", "a secret: 100% + more/&="),
    client("with-form", "client_secret_post", "another secret: 100% + more/&="),
    client("public", "none"),
    { ...client("no-device", "none"), grant_types: GRANTS.slice(0, 2) },
  ],
  scopes: ["api", "read_user"],
  pkce: { required: () => true },
  rotateRefreshToken: () => true,
  issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
  findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true }, revocation: { enabled: true } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async loadExistingGrant({ oidc }) {
    const { client, params, provider, session } = oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return provider.Grant.find(known);
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
  cookies: { keys: ["of no importance"] },
  ttl: { AccessToken: 600, DeviceCode: 600, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(address, configuration);
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    const { params } = await provider.interactionDetails(request, response);
    const result = params.login_hint === "declines" ? { error: "access_denied" } : { login: { accountId: "someone" } };
    await provider.interactionFinished(request, response, result);
  });
  console.log(address);
});
process.stdin.on("end", () => process.exit()).resume();
