// The page: sign in, choose a conversation, write, and see the answers arrive. No framework, nothing inline.
// What users wrote is only ever set as text, never as HTML.
import { Live } from "./live.js";

const $ = (id) => document.getElementById(id);
const TOKEN = "slipway-token";
let live = null;
let current = null;

class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function api(method, path, body, headers = {}) {
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The service cannot be reached. Check your connection and try again.");
  }
  if (answer.status === 401 && token) {
    signedOut();
    throw new ApiError(401, "Your session has ended. Sign in again.");
  }
  const content = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, explain(answer.status, content));
  return content;
}

function explain(status, content) {
  const detail = content?.detail;
  if (status === 429) return "Too many requests. Wait a minute and try again.";
  if (typeof detail === "string") return detail[0].toUpperCase() + detail.slice(1);
  if (Array.isArray(detail)) return detail.map((problem) => `${problem.loc?.at(-1)}: ${problem.msg}`).join("; ");
  return `The service answered with ${status}. Try again.`;
}

function notice(text = "") {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

// Runs what a person asked for: one at a time, with its failure shown.
async function act(form, work) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  notice();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    notice(error.message);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

function signedOut() {
  sessionStorage.removeItem(TOKEN);
  closeConversation();
  $("signed-in").hidden = $("sign-out").hidden = true;
  $("signed-out").hidden = false;
  $("email").focus();
}

async function signedIn() {
  $("signed-out").hidden = true;
  $("signed-in").hidden = $("sign-out").hidden = false;
  await list();
}

async function list() {
  const { conversations } = await api("GET", "/conversations");
  $("no-conversations").hidden = conversations.length > 0;
  $("conversations").replaceChildren(
    ...conversations.map((conversation) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = conversation.title;
      button.dataset.id = conversation.id;
      button.addEventListener("click", () => open(conversation));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }),
  );
  markCurrent();
}

function markCurrent() {
  for (const button of $("conversations").querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.id === String(current?.id)));
  }
}

function closeConversation() {
  live?.close();
  live = current = null;
  $("conversation").hidden = true;
  $("messages").replaceChildren();
}

function open(conversation) {
  closeConversation();
  notice();
  current = conversation;
  $("conversation-title").textContent = conversation.title;
  $("conversation").hidden = false;
  $("conversation").focus();
  markCurrent();
  live = new Live(conversation.id, sessionStorage.getItem(TOKEN), {
    message: show,
    state: (text) => ($("connection").textContent = text),
    unauthorized: () => {
      signedOut();
      notice("Your session has ended. Sign in again.");
    },
    gone: () => {
      closeConversation();
      notice("This conversation is no longer there.");
      list().catch((error) => notice(error.message));
    },
  });
}

function show(message) {
  const item = document.createElement("li");
  item.className = message.author;
  const author = document.createElement("span");
  author.className = "author";
  author.textContent = message.author === "user" ? "You" : "Assistant";
  item.append(author, message.text);
  const log = $("messages");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(item);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

$("credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  const registers = event.submitter?.value === "register";
  act(event.target, async () => {
    const credentials = { email: $("email").value, password: $("password").value };
    if (registers) await api("POST", "/users", credentials);
    const { access_token } = await api("POST", "/tokens", credentials);
    sessionStorage.setItem(TOKEN, access_token);
    $("password").value = "";
    await signedIn();
  });
});

$("sign-out").addEventListener("click", async () => {
  // Signed out here even when the service cannot be told.
  await api("DELETE", "/tokens/current").catch(() => {});
  notice();
  signedOut();
});

$("new-conversation").addEventListener("submit", (event) => {
  event.preventDefault();
  act(event.target, async () => {
    const created = await api("POST", "/conversations", { title: $("title").value });
    $("title").value = "";
    await list();
    open(created);
  });
});

$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const conversation = current;
  act(event.target, async () => {
    // The key names this message: sent twice, it is stored once.
    const key = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` };
    const { job } = await api("POST", `/conversations/${conversation.id}/messages`, { text: $("text").value }, key);
    $("text").value = "";
    $("text").focus();
    watch(job.id);
  });
});

// Answers arrive by the WebSocket; that a job failed is learnt by asking.
async function watch(jobId) {
  for (let seconds = 2; seconds < 120; seconds *= 2) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    if (!sessionStorage.getItem(TOKEN)) return;
    const job = await api("GET", `/jobs/${jobId}`).catch(() => null);
    if (job?.state === "failed") return notice("Your message could not be answered. Write it again.");
    if (job?.state === "done") return;
  }
}

$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("write").requestSubmit();
});

if (sessionStorage.getItem(TOKEN)) signedIn().catch((error) => notice(error.message));
else signedOut();
