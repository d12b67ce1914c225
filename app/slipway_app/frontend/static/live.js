// The live messages of one conversation. It connects again after every loss, asking for what came after the last
// message it has: so none is missed and none is shown twice.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const UNAUTHORIZED = 4401;
const NOT_FOUND = 4404;

export class Live {
  #id;
  #token;
  #tell;
  #socket = null;
  #timer = null;
  #after = 0;
  #waitMs = FIRST_WAIT_MS;
  #closed = false;

  // tell: { message(message), state(text), unauthorized(), gone() }
  constructor(id, token, tell) {
    this.#id = id;
    this.#token = token;
    this.#tell = tell;
    this.#connect();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  #connect() {
    this.#tell.state("Connecting…");
    const url = new URL(`/api/conversations/${this.#id}/live?after=${this.#after}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    // A browser can set no header on a WebSocket: the token travels as a subprotocol.
    this.#socket = new WebSocket(url, ["slipway.v1", `bearer.${this.#token}`]);
    this.#socket.addEventListener("open", () => {
      if (!this.#closed) this.#tell.state("Connected: answers appear by themselves.");
    });
    this.#socket.addEventListener("message", (event) => this.#received(JSON.parse(event.data)));
    this.#socket.addEventListener("close", (event) => this.#lost(event.code));
  }

  #received(frame) {
    if (this.#closed) return;
    // Not when it opens: a service that accepts and closes at once must not be asked again and again.
    this.#waitMs = FIRST_WAIT_MS;
    if (frame.type === "ping") this.#socket.send(JSON.stringify({ type: "pong" }));
    if (frame.type === "message" && frame.message.id > this.#after) {
      this.#after = frame.message.id;
      this.#tell.message(frame.message);
    }
  }

  #lost(code) {
    if (this.#closed) return;
    if (code === UNAUTHORIZED) return this.#tell.unauthorized();
    if (code === NOT_FOUND) return this.#tell.gone();
    this.#tell.state("Connection lost. Connecting again…");
    // By chance up to the full wait: clients of a process that ended do not all come back at the same moment.
    this.#timer = setTimeout(() => this.#connect(), this.#waitMs * (0.5 + Math.random() / 2));
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }
}
