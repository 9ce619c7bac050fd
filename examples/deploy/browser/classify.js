// Classify pictures with model.onnx and preprocessor_config.json, which `stridednet export` writes; both are beside this file.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs";
import { formOf, prepared } from "./picture.js";

ort.env.wasm.numThreads = 1; // more need headers for cross-origin isolation, which a plain file server does not send

const [classes, choice, file, status, result, picture, answer] = [
  "classes", "choice", "file", "status", "result", "picture", "answer",
].map((id) => document.getElementById(id));
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 2 });

async function load() {
  const reply = await fetch("preprocessor_config.json");
  if (!reply.ok) throw new Error(`preprocessor_config.json: ${reply.status} ${reply.statusText}`);
  const config = await reply.json();
  const form = formOf(config);
  const labels = Object.keys(config.id2label).map((_, number) => config.id2label[number]);
  return { form, labels, session: await ort.InferenceSession.create("model.onnx") };
}

async function classify(model, chosen) {
  const { form, labels, session } = model;
  const images = new ort.Tensor("uint8", await prepared(chosen, form), [1, form.size, form.size, 3]);
  const { probabilities } = await session.run({ images });
  return labels
    .map((label, number) => ({ label, probability: probabilities.data[number] }))
    .sort((one, other) => other.probability - one.probability)
    .slice(0, 3);
}

function show(chosen, best) {
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(chosen);
  picture.alt = chosen.name;
  answer.replaceChildren(...best.map(({ label, probability }) => {
    const [item, score, meter] = ["li", "span", "meter"].map((name) => document.createElement(name));
    score.className = "score";
    score.textContent = percent.format(probability);
    meter.value = probability;
    meter.setAttribute("aria-hidden", "true"); // the number says it
    item.append(score, label, meter);
    return item;
  }));
  status.textContent = `${chosen.name}: ${best[0].label}, ${percent.format(best[0].probability)}`;
  result.hidden = false;
}

async function answerTo(model, chosen) {
  status.textContent = `Classifying ${chosen.name} …`;
  try {
    show(chosen, await classify(model, chosen));
  } catch (error) {
    result.hidden = true;
    status.textContent = `${chosen.name}: not classified: ${error.message}`;
  }
}

function listen(model) {
  let last = Promise.resolve(); // one picture at a time, in the order in which they came
  const take = (files) => {
    if (files.length) last = last.then(() => answerTo(model, files[0]));
  };
  file.addEventListener("change", () => {
    take([...file.files]);
    file.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
  file.disabled = false;
}

// Without this, a browser would open a dropped picture in place of the page.
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    choice.classList.toggle("over", kind === "dragover");
  });
}

try {
  const model = await load();
  classes.textContent = `Classes: ${model.labels.join(", ")}`;
  status.textContent = "Ready.";
  listen(model);
} catch (error) {
  status.textContent = `The model cannot be loaded: ${error.message}`;
}
