// A picture as the input of an exported model: the rule that its preprocessor_config.json states, in JavaScript.

const GRAY = 128;
const SHAPES = {
  squash: (size) => `resize to ${size}x${size} pixels without keeping the aspect ratio`,
  crop: (size) =>
    "cut out the largest square in the center, from row (height - side) // 2 and column (width - side) // 2; " +
    `resize it to ${size}x${size} pixels`,
  pad: (size) =>
    `resize, keeping the aspect ratio, until the longer side has ${size} pixels and the other one ` +
    `max(1, (2 * shorter * ${size} + longer) // (2 * longer)); put the result on ${size}x${size} pixels of gray ` +
    `(${GRAY}, ${GRAY}, ${GRAY}), from row (${size} - height) // 2 and column (${size} - width) // 2; to resize`,
};
const rule = (shape, size) =>
  `apply the EXIF orientation; put transparent pixels on white; convert to RGB; ${SHAPES[shape](size)}: each side ` +
  "that shrinks by area averaging (OpenCV's INTER_AREA), then each side that grows linearly (INTER_LINEAR)";

/** Return the size of a model's images in pixels and their shape, or throw if it needs them prepared in another way. */
export function formOf(config) {
  const { resize_rule: wanted } = config;
  const { height: size } = config.pad_size ?? config.crop_size ?? config.size;
  const shape = Object.keys(SHAPES).find((one) => rule(one, size) === wanted);
  if (!shape) {
    throw new Error(`the model asks for another rule than picture.js has: ${wanted}`);
  }
  return { size, shape };
}

/** Return a picture file as (size, size, 3), RGB, bytes. */
export async function prepared(file, { size, shape }) {
  const picture = await read(file);
  if (shape === "crop") return bytes(resized(centerOf(picture), size, size));
  if (shape === "squash") return bytes(resized(picture, size, size));
  const longer = Math.max(picture.width, picture.height);
  const inner = (side) => Math.max(1, Math.floor((2 * side * size + longer) / (2 * longer)));
  return bytes(onGray(resized(picture, inner(picture.width), inner(picture.height)), size));
}

const bytes = ({ pixels }) => new Uint8Array(pixels.buffer);

/** Return the largest square in the center of a picture. */
function centerOf({ pixels, width, height }) {
  const side = Math.min(width, height);
  const [top, left] = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
  const square = new Uint8ClampedArray(side * side * 3);
  for (let row = 0; row < side; row++) {
    const start = ((top + row) * width + left) * 3;
    square.set(pixels.subarray(start, start + side * 3), row * side * 3);
  }
  return { pixels: square, width: side, height: side };
}

/** Return a picture in the center of a gray square. */
function onGray({ pixels, width, height }, size) {
  const [top, left] = [Math.floor((size - height) / 2), Math.floor((size - width) / 2)];
  const square = new Uint8ClampedArray(size * size * 3).fill(GRAY);
  for (let row = 0; row < height; row++) {
    square.set(pixels.subarray(row * width * 3, (row + 1) * width * 3), ((top + row) * size + left) * 3);
  }
  return { pixels: square, width: size, height: size };
}

/** Return a picture of another size: each side that shrinks is averaged over areas, then each side that grows is linear. */
function resized({ pixels, width, height }, newWidth, newHeight) {
  const [across, down] = [Math.min(width, newWidth), Math.min(height, newHeight)];
  const shrunk = resample(pixels, width, areas(width, across), areas(height, down));
  const grown = resample(shrunk, across, lines(across, newWidth), lines(down, newHeight));
  return { pixels: grown, width: newWidth, height: newHeight };
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
  const result = new Uint8ClampedArray(columns.length * rows.length * 3);
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
    result.set(row, number * row.length);
  });
  return result;
}
