// What a link is for is said by the path, what opens it stands behind the "#".
const KINDS = {
  "/console/invite": {
    title: "Accept your invitation", act: "Accept", path: "/v1/invitations/accept", password: true,
    done: "You can sign in now, with your address and this password.",
  },
  "/console/reset": {
    title: "Choose another password", act: "Set the password", path: "/v1/password/reset", password: true,
    done: "Your password is set. You can sign in with it now.",
  },
  "/console/email": {
    title: "Confirm your address", act: "Confirm", path: "/v1/me/email/confirm", password: false,
    done: "You sign in by this address from now on.",
  },
  "/console/approve": {
    title: "Sign in with this browser", act: "It was me", path: "/v1/sign-in/approve", password: false,
    done: "You can sign in with this browser now.",
  },
};
const kind = Object.entries(KINDS).find(([end]) => location.pathname.endsWith(end))?.[1];
const base = location.pathname.replace(/\/console\/.*$/, "");
const token = location.hash.slice(1);
const at = (id) => document.getElementById(id);
if (kind && token) {
  // It stays in no history.
  history.replaceState(null, "", location.pathname);
  at("title").textContent = kind.title;
  at("act").textContent = kind.act;
  at("choose").hidden = !kind.password;
  at("password").required = kind.password;
  at("form").hidden = false;
  at("said").textContent = "";
  at("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    at("act").disabled = true;
    const body = kind.password ? { token, password: at("password").value } : { token };
    try {
      const answer = await fetch(base + kind.path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      at("form").hidden = answer.ok;
      at("said").textContent = answer.ok ? kind.done : told(await answer.json());
    } catch {
      at("said").textContent = "The server did not answer. Try again.";
    }
    at("act").disabled = false;
  });
}

function told(problem) {
  const first = problem.errors?.[0];
  if (first?.pointer === "/token") return "This link is not good any more: ask for another one.";
  return first?.detail ?? problem.detail ?? "That did not work.";
}
