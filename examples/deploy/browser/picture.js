// A picture as the input of an exported model: the rule that its preprocessor_config.json states, in JavaScript.

const RULE = (size) =>
  `apply the EXIF orientation; put transparent pixels on white; convert to RGB; resize to ${size}x${size} pixels ` +
  "without keeping the aspect ratio: each side that shrinks by area averaging (OpenCV's INTER_AREA), then each side " +
  "that grows linearly (INTER_LINEAR)";

/** Return the size of a model's images in pixels, or throw if it needs pictures prepared in another way. */
export function sizeOf(config) {
  const size = config.size.height;
  if (config.resize_rule !== RULE(size)) {
    throw new Error(`the model asks for another rule than picture.js has: ${config.resize_rule}`);
  }
  return size;
}

/** Return a picture file as (size, size, 3), RGB, bytes. */
export async function prepared(file, size) {
  const { pixels, width, height } = await read(file);
  const [across, down] = [Math.min(width, size), Math.min(height, size)];
  const shrunk = resample(pixels, width, areas(width, across), areas(height, down));
  const square = resample(shrunk, across, lines(across, size), lines(down, size));
  return new Uint8Array(square.buffer);
}

/** Decode a picture; the browser applies the EXIF orientation. Color profiles are ignored, as in training. */
async function read(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = "white";
  canvas.fillRect(0, 0, width, height);
  canvas.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = canvas.getImageData(0, 0, width, height).data;
  const pixels = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from];
    pixels[to++] = rgba[from + 1];
    pixels[to++] = rgba[from + 2];
  }
  return { pixels, width, height };
}

// How one side is resized: for each new pixel, the old pixels that it is made from, [place, weight] each.

/** Each new pixel is the mean of the interval that it covers. */
function areas(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, number) => {
    const [start, end] = [number * scale, Math.min((number + 1) * scale, from)];
    const parts = [];
    for (let place = Math.floor(start); place < end; place++) {
      const overlap = Math.min(place + 1, end) - Math.max(place, start);
      if (overlap > 1e-6) parts.push([place, overlap / scale]);
    }
    return parts;
  });
}

/** Each new pixel is between the two old ones whose centers are the nearest. */
function lines(from, to) {
  return Array.from({ length: to }, (_, number) => {
    const center = Math.max(((number + 0.5) * from) / to - 0.5, 0);
    const place = Math.floor(center);
    return [
      [place, 1 - (center - place)],
      [Math.min(place + 1, from - 1), center - place],
    ];
  });
}

/** Return pixels resized along both sides; a Uint8ClampedArray rounds what is assigned to it. */
function resample(pixels, width, columns, rows) {
  const resized = new Uint8ClampedArray(columns.length * rows.length * 3);
  const row = new Float64Array(columns.length * 3);
  rows.forEach((parts, number) => {
    row.fill(0);
    for (const [y, share] of parts) {
      columns.forEach((taps, column) => {
        for (const [x, weight] of taps) {
          const place = (y * width + x) * 3;
          for (let channel = 0; channel < 3; channel++) {
            row[column * 3 + channel] += share * weight * pixels[place + channel];
          }
        }
      });
    }
    resized.set(row, number * row.length);
  });
  return resized;
}
