// Which microphones there are, whether this page may use them, and which one the person likes.

import { shutByPermission, shutForGood } from "./shut.js";
import { remember, storage } from "./storage.js";

/** @typedef {import("./link.js").Link} Link */
/** @typedef {[id: string, label: string]} Device */

const REMEMBERED = "nbaudio.microphone"; // in the browser's own storage: a device's id holds for one site only

/** Sets the traits `devices`, `device`, and what `shut` says of the microphone. */
export class Devices {
  #link;
  #signal;
  /** @type {PermissionStatus | undefined} */
  #permission;
  #shut = "";
  /** No microphone for this page, whatever a person does. */
  hopeless;

  /**
   * @param {Link} link
   * @param {AbortSignal} signal  aborted when nobody is interested any more
   */
  constructor(link, signal) {
    this.#link = link;
    this.#signal = signal;
    const never = shutForGood();
    this.hopeless = Boolean(never);
    this.shut(never?.message ?? "", this.hopeless);
    if (!never) void this.#watch();
  }

  /**
   * Says that the microphone can't be used.
   * @param {string} why  in words for a person; empty: it can be used
   * @param {boolean} [lasting]
   */
  shut(why, lasting = false) {
    this.#shut = why;
    this.hopeless ||= lasting;
    const { microphone = "", ...others } = this.#link.get("shut") ?? {};
    if (microphone !== why) this.#link.tell({ shut: why ? { ...others, microphone: why } : others });
  }

  /** Looks which there are: once a microphone has been allowed they have names. */
  async look() {
    if (this.hopeless) return;
    const found = await navigator.mediaDevices.enumerateDevices();
    if (this.#signal.aborted) return;
    // "communications" is Chromium's second name for one of the others.
    const named = found.filter(({ kind, label, deviceId }) => kind === "audioinput" && label && deviceId !== "communications");
    const devices = named.map(({ deviceId, label }) => [deviceId, label]);
    this.shut(this.#shut);
    if (JSON.stringify(devices) !== JSON.stringify(this.#link.get("devices"))) this.#link.tell({ devices });

    const there = (/** @type {string | null | undefined} */ id) => devices.some(([one]) => one === id);
    const device = this.#link.get("device");
    if (!devices.length || there(device)) return;
    const remembered = storage()?.getItem(REMEMBERED) ?? "";
    const best = there(remembered) ? remembered : "";
    if (best !== device) this.#link.tell({ device: best });
  }

  /** The person has chosen. @param {string} device  "" is the browser's default */
  choose(device) {
    remember(REMEMBERED, device);
    this.#link.tell({ device, trouble: "" });
  }

  async #watch() {
    this.#permission = await permission();
    if (this.#signal.aborted) return;
    const again = () => {
      this.shut(shutByPermission(this.#permission?.state)?.message ?? "");
      void this.look();
    };
    this.#permission?.addEventListener("change", again, { signal: this.#signal });
    navigator.mediaDevices.addEventListener("devicechange", again, { signal: this.#signal });
    again();
  }
}

/** @returns {Promise<PermissionStatus | undefined>} */
async function permission() {
  try {
    return await navigator.permissions.query({ name: /** @type {PermissionName} */ ("microphone") });
  } catch {
    return undefined; // a browser that does not know the name: then only asking tells
  }
}
