"use strict";
const $ = id => document.getElementById(id);
let turn = 0;  // of the picture that is shown: answers to earlier ones are dropped
let camera = null;

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

async function ask(picture, parameters) {
  const query = new URLSearchParams({ model: $("model").value, ...parameters });
  let response;
  try {
    response = await fetch(`predict?${query}`, { method: "POST", body: picture });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const answer = await response.json();
  if (response.ok) return answer;
  if (response.status === 503) throw new Error("The server is busy. Try again in a moment.");
  throw new Error(`The server refused the picture: ${answer.error}`);
}

function show(classes) {
  $("classes").replaceChildren(...classes.map(({ label, score }) => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = label;
    const number = document.createElement("td");
    number.className = "number";
    number.textContent = `${(100 * score).toFixed(1)}%`;
    const cell = document.createElement("td");
    cell.className = "bar";
    cell.setAttribute("aria-hidden", "true");
    const bar = document.createElement("div");
    bar.style.width = `${100 * score}%`;
    cell.append(bar);
    row.append(name, number, cell);
    return row;
  }));
}

async function predict(picture) {
  const mine = ++turn;
  say("Computing …");
  $("result").hidden = true;
  try {
    const classes = await ask(picture, { top_k: 5 });
    if (mine !== turn) return;
    show(classes);
    URL.revokeObjectURL($("picture").src);
    $("picture").src = URL.createObjectURL(picture);
    $("why").hidden = true;
    $("result").hidden = false;
    say(`${classes[0].label}, ${(100 * classes[0].score).toFixed(1)}%. Computing what speaks for it …`);
    let note = "";
    try {
      const [explained] = await ask(picture, { top_k: 1, explain: true });
      if (mine !== turn) return;
      $("heatmap").src = explained.explanation;
      $("heatmap").alt = $("reason").textContent = `What speaks for ${explained.label}, in color`;
      $("why").hidden = false;
    } catch (error) {
      note = ` No heatmap: ${error.message}`;
    }
    if (mine === turn) say(`${classes[0].label}, ${(100 * classes[0].score).toFixed(1)}%.${note}`);
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}

let last = null;
function take(files) {
  const picture = [...files].find(file => file.type.startsWith("image/")) ?? files[0];
  if (!picture) {
    say("There is no picture in it.", true);
    return;
  }
  last = picture;
  predict(picture);
}

$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  if ($("file").files.length) take($("file").files);
  $("file").value = "";  // so that the same file can be chosen again
});
$("model").addEventListener("change", () => {
  describe();
  if (last) predict(last);
});

addEventListener("dragover", event => {
  event.preventDefault();
  $("drop").classList.add("over");
});
addEventListener("dragleave", event => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
addEventListener("drop", event => {
  event.preventDefault();
  $("drop").classList.remove("over");
  take(event.dataTransfer.files);
});
addEventListener("paste", event => take(event.clipboardData.files));

function stop() {
  for (const track of camera?.getTracks() ?? []) track.stop();
  camera = null;
  $("live").hidden = true;
  $("camera").focus();
}
$("camera").addEventListener("click", async () => {
  if (!isSecureContext) {
    say("Browsers allow the camera only over HTTPS, or on this machine.", true);
    return;
  }
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    say("There is no camera, or its use is not allowed.", true);
    return;
  }
  $("video").srcObject = camera;
  $("live").hidden = false;
  $("shoot").focus();
});
$("stop").addEventListener("click", stop);
$("shoot").addEventListener("click", () => {
  const canvas = document.createElement("canvas");
  canvas.width = $("video").videoWidth;
  canvas.height = $("video").videoHeight;
  if (!canvas.width) return;  // the first frame has not arrived yet
  canvas.getContext("2d").drawImage($("video"), 0, 0);
  stop();
  canvas.toBlob(picture => take([picture]), "image/png");
});
addEventListener("keydown", event => {
  if (event.key === "Escape" && camera) stop();
});

let models = [];
function describe() {
  const { labels } = models.find(one => one.name === $("model").value);
  const named = labels.length > 12 ? `${labels.slice(0, 12).join(", ")}, …` : labels.join(", ");
  $("about").textContent = `The model knows ${labels.length} classes: ${named}.`;
}
fetch("models").then(response => response.json()).then(found => {
  models = found;
  for (const { name } of models) $("model").add(new Option(name));
  $("choice").hidden = models.length < 2;
  describe();
}).catch(() => say("The server does not answer.", true));
