// A receiver of notifications that verifies them with the library of Standard Webhooks. The query of the address says which
// signing secret it holds. It answers 204 to what it takes for ours, and 401 to the rest.
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const secret = new URL(request.url, "http://receiver").searchParams.get("secret");
  try {
    const event = new Webhook(secret).verify(body, request.headers);
    response.writeHead(typeof event.type === "string" && event.data && event.timestamp ? 204 : 422).end();
  } catch (refused) {
    response.writeHead(401).end(refused.message);
  }
});

server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
process.stdin.on("end", () => process.exit()).resume();
