// A certified OpenID provider with its own sign-in and consent pages, in front of which somebody has to sit. Everybody who
// types a name is let in as who they say, unless a name is given that begins with "un": its address is not verified.
// Everything is in memory. Its first line of output is its address; it ends with its input.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const configuration = {
  clients: [
    {
      client_id: "valetkey",
      client_secret: "a secret: 100% + more/&=",
      // A native client's loopback address may have any port: the program takes a free one.
      application_type: "native",
      token_endpoint_auth_method: "client_secret_basic",
      redirect_uris: ["http://127.0.0.1/sign-in/oidc/callback"],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  scopes: ["openid", "profile", "email", "groups"],
  claims: { profile: ["name"], email: ["email", "email_verified"], groups: ["groups"] },
  pkce: { required: () => true },
  findAccount: (_, name) => ({
    accountId: name,
    claims: () => ({
      sub: name,
      name: `The person ${name}`,
      email: `${name}@example.test`,
      email_verified: !name.startsWith("un"),
      groups: name === "anna" ? ["keepers"] : [],
    }),
  }),
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ["of no importance"] },
  ttl: { AccessToken: 600, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  server.on("request", new Provider(address, configuration).callback());
  console.log(address);
});
process.stdin.on("end", () => process.exit()).resume();
