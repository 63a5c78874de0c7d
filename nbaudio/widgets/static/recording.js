// A recorder at work on this page: a take from its first sample to its last, whatever door it comes in by. It belongs to
// the widget's model; views show it and ask it. What recorder.js says of the kernel's messages is done here.

import { Devices } from "./devices.js";
import { decoded, parts } from "./file_door.js";
import { KernelDoor } from "./kernel_door.js";
import { Peak, SILENT_DBFS, levelDbfs } from "./level.js";
import { Link } from "./link.js";
import { Microphone } from "./microphone.js";
import { Shut } from "./shut.js";
import { Silence } from "./silence.js";
import { Take } from "./take.js";
import { hush } from "./turns.js";

/** @typedef {import("./two_way.js").Model} Model */
/** @typedef {"idle" | "asking" | "recording" | "review" | "done" | "cancelled" | "lost"} State */
/** @typedef {"microphone" | "file" | "kernel"} Door */
/** @typedef {Parameters<Take["end"]>[0]} Reason */

const SHOWN = ["active", "device", "devices", "door", "duration_s", "max_s", "prompt", "review", "shut", "silence_s", "trouble"];
const UNHEARD_S = 8;
const VIEWLESS_MS = 1000; // a cell that is moved takes its view away and gives another at once

/** Events: "change" (anything that is shown but the following), "level" (time and level, ten a second). */
export class Recording extends EventTarget {
  #link;
  #kernel;
  #closed = new AbortController();
  /** @type {AbortController | undefined} while the microphone is opened, or a file read and sent */
  #trying;
  /** @type {Microphone | undefined} while it is open */
  #microphone;
  /** @type {Take | undefined} the last one of this page */
  #take;
  /** @type {string | undefined} the last one that the kernel has whole, its own microphone's too */
  #got;
  /** @type {(() => void) | undefined} lets the page sound again */
  #endHush;
  /** @type {Door} the one that the cell asks for */
  #liked;
  #devices;
  #silence = new Silence(1, 0);
  #views = 0;
  #ending = false;
  #peak = new Peak();

  /** The file that is read or sent, and how much of it has been sent. */
  file = { name: "", share: 0 };

  /** @param {Model} model */
  constructor(model) {
    super();
    this.#link = new Link(model);
    this.#kernel = new KernelDoor(this.#link, () => this.#changed());
    this.#link.on("change:active", () => this.get("active") || this.#release());
    this.#link.on("change:state", () => this.#follow());
    this.#link.on("change:elapsed_s", () => this.#measure());
    this.#link.on("msg:custom", (message) => this.#obey(message));
    for (const name of SHOWN) this.#link.on(`change:${name}`, () => this.#changed());
    this.#link.addEventListener("severed", () => (this.#release(), this.#changed()));
    this.#devices = new Devices(this.#link, this.#closed.signal);
    this.#liked = this.get("door");
    addEventListener("pagehide", () => this.#abandon(), { signal: this.#closed.signal }); // it is closed, or loaded again
    this.#link.send({ kind: "ready" });
  }

  /** A trait of the widget. @param {string} name */
  get(name) {
    return this.#link.get(name);
  }

  /** @returns {State} */
  get state() {
    if (this.severed && !this.over) return "lost";
    if (this.#kernel.unanswered) return this.#kernel.wanted ? "asking" : "idle";
    return this.elsewhere ? "idle" : this.get("state");
  }

  /** There is no microphone for this page, whatever a person does. */
  get hopeless() {
    return this.#devices.hopeless;
  }

  get over() {
    return ["done", "cancelled", "lost"].includes(this.get("state")) && !this.#kernel.unanswered;
  }

  /** Nothing reaches the kernel any more. */
  get severed() {
    return this.#link.severed;
  }

  /** Whether there may be a recording: not when the cell has gone on, or the kernel has gone. */
  get active() {
    return Boolean(this.get("active")) && !this.severed;
  }

  /** Whether a recording may begin. */
  get free() {
    const waiting = this.state === "idle" || this.state === "review" || this.over;
    return this.active && waiting && !this.#trying && !this.#microphone && !this.#kernel.unanswered;
  }

  /** The door to go through: the one that the cell asks for if it is open, else the first that is. */
  get openDoor() {
    const shut = this.get("shut") ?? {};
    return /** @type {Door[]} */ ([this.#liked, "microphone", "file", "kernel"]).find((door) => !shut[door]);
  }

  /** Another page records for this model, or this one did before it was loaded again. */
  get elsewhere() {
    if (this.get("door") === "kernel") return false;
    if (this.get("state") === "review") return !this.#take;
    return ["asking", "recording"].includes(this.get("state")) && !this.#trying && !this.#microphone;
  }

  /** The highest level of the last moments. */
  get peak_dbfs() {
    return this.#peak.dbfs;
  }

  /** It has come close to full scale just now. */
  get tooLoud() {
    return this.state === "recording" && this.#peak.tooLoud(this.get("elapsed_s"));
  }

  /** It has been recording for a while, and nothing could have been speech. */
  get unheard() {
    return Boolean(this.#microphone) && !this.#silence.heard && this.#silence.silent_s >= UNHEARD_S;
  }

  /** What the system calls the microphone that is open. */
  get microphoneName() {
    return this.#microphone?.label ?? "";
  }

  /** What is to be reviewed, where this page has it. @returns {Blob | undefined} */
  get replay() {
    return this.state === "review" ? this.#take?.wav() : undefined;
  }

  // These three and `state` are for tests and benchmarks, at globalThis.nbaudio.recorders.

  get pieces() {
    return this.#take?.pieces ?? 0;
  }

  get context() {
    return this.#microphone?.context ?? null;
  }

  get track_state() {
    return this.#microphone?.trackState ?? null;
  }

  /** Records from the browser's microphone; what was to be reviewed is dropped. Call it from a click or a key. */
  async start() {
    const trying = this.#try("microphone");
    if (!trying) return;
    const [sampleRate, device] = [Number(this.get("sample_rate")), String(this.get("device"))];
    try {
      const microphone = await Microphone.open({ sampleRate, device, signal: trying.signal });
      this.#microphone = microphone;
      this.#silence = new Silence(microphone.sampleRate, Number(this.get("silence_s")));
      this.#begin("microphone", microphone.sampleRate);
      const lost = () => void this.stop("device lost");
      microphone.listen((samples) => this.#hear(samples), lost);
      void this.#devices.look(); // now they have names
    } catch (error) {
      this.#refuse(error, trying.signal);
    } finally {
      if (this.#trying === trying) this.#trying = undefined;
    }
  }

  /** Records from a file. @param {File} file */
  async choose(file) {
    const trying = this.#try("file");
    if (!trying) return;
    this.file = { name: file.name, share: 0 };
    this.#changed();
    const sampleRate = Number(this.get("sample_rate"));
    try {
      const samples = await decoded(file, sampleRate);
      trying.signal.throwIfAborted();
      const take = this.#begin("file", sampleRate, file.name);
      for await (const part of parts(samples, trying.signal)) {
        take.add(part);
        this.file.share = take.frames / samples.length;
        this.#link.tell({ elapsed_s: take.duration_s });
      }
      this.#end("file");
    } catch (error) {
      this.#refuse(error, trying.signal);
    } finally {
      if (this.#trying === trying) this.#trying = undefined;
    }
  }

  /** Ends the recording: it goes on to the review, or to the cell. @param {Reason} reason */
  async stop(reason = "stopped") {
    if (this.get("door") === "kernel" && ["asking", "recording"].includes(this.state)) return this.#kernel.stop();
    if (this.#trying && !this.#microphone) return this.#giveUp();
    const microphone = this.#microphone;
    if (!microphone || this.#ending) return;
    this.#ending = true;
    await microphone.end();
    this.#ending = false;
    if (this.#microphone !== microphone) return; // cancelled meanwhile
    this.#microphone = undefined;
    try {
      this.#end(reason);
    } finally {
      microphone.release(); // last: it takes some milliseconds, and the person waits for an answer
    }
  }

  /** Ends it all: the person does not want to say anything. */
  cancel() {
    if (!this.active || this.over) return;
    this.#release();
    this.#drop();
    this.#kernel.wanted = false;
    this.#link.send({ kind: "cancel" });
    this.#link.tell({ state: "cancelled", trouble: "" });
  }

  /** What was reviewed is good. */
  accept() {
    if (this.state !== "review") return;
    this.#take?.forget();
    this.#link.send({ kind: "accept", take: this.#take?.id ?? this.#got });
    this.#link.tell({ state: "done", trouble: "" });
  }

  /** Records from the kernel's own microphone. */
  startKernel() {
    if (!this.free && !this.#kernel.letGo) return;
    this.#drop();
    this.#link.tell({ door: "kernel", trouble: "" });
    this.#kernel.start();
  }

  /** Which microphone the next recordings use. @param {string} id  "" is the browser's default */
  use(id) {
    this.#devices.choose(id);
  }

  /** A view shows it. @returns {boolean} whether it is the first one */
  enter() {
    if (this.#views++ > 0) return false;
    const now = this.get("auto_start") && this.active && this.get("state") === "idle";
    if (now) void (this.#liked === "kernel" ? this.startKernel() : this.start());
    return true;
  }

  /** A view has gone. An output that is cleared leaves no microphone open. */
  leave() {
    this.#views--;
    setTimeout(() => this.#views === 0 && this.#abandon(), VIEWLESS_MS);
  }

  /** The model has gone. */
  close() {
    this.#release();
    this.#quieten(false);
    this.#link.close();
    this.#closed.abort();
  }

  /** @param {Door} door */
  #try(door) {
    if (!this.free) return undefined;
    this.#drop();
    this.#trying = new AbortController();
    this.#link.tell({ door, level_dbfs: SILENT_DBFS, elapsed_s: 0, trouble: "", state: "asking" });
    return this.#trying;
  }

  /**
   * @param {"microphone" | "file"} door
   * @param {number} sampleRate
   * @param {string} [name]
   */
  #begin(door, sampleRate, name) {
    const about = { door, sampleRate, name, keep: Boolean(this.get("review")) };
    this.#take = new Take(this.#link, about);
    this.#peak = new Peak();
    if (door === "microphone") this.#devices.shut("");
    this.#link.tell({ state: "recording" });
    return this.#take;
  }

  /** @param {Float32Array} samples */
  #hear(samples) {
    const take = this.#take;
    if (!take || !this.#microphone) return;
    const longest = Math.round(Number(this.get("max_s")) * take.sampleRate);
    const heard = samples.subarray(0, Math.max(0, longest - take.frames));
    if (!heard.length) return; // it is over already, and this was on its way
    take.add(heard);
    this.#silence.add(heard);
    this.#peak.hear(heard, take.duration_s);
    this.#link.tell({ level_dbfs: levelDbfs(heard), elapsed_s: take.duration_s });
    if (take.frames >= longest) void this.stop("longest");
    else if (this.#silence.over) void this.stop("silence");
  }

  #measure() {
    this.#peak.follow(Number(this.get("level_dbfs")), Number(this.get("elapsed_s")));
    this.dispatchEvent(new Event("level"));
  }

  /** @param {Reason} reason */
  #end(reason) {
    const take = this.#take;
    if (!take) return;
    if (take.frames === 0) {
      this.#drop();
      this.#link.tell({ state: "idle", trouble: "That was too short: nothing was recorded." });
      return;
    }
    take.end(reason);
    const trouble = reason === "device lost" ? "The microphone went away; what came until then is kept." : "";
    const state = this.get("review") ? "review" : "done";
    if (state === "done") this.#link.send({ kind: "accept", take: take.id });
    this.#link.tell({ duration_s: take.duration_s, level_dbfs: SILENT_DBFS, trouble, state });
  }

  #drop() {
    const open = ["recording", "review"].includes(this.get("state"));
    const take = this.get("door") === "kernel" ? this.#got : this.#take?.id;
    if (open && take) this.#link.send({ kind: "drop", take });
    this.#take = this.#got = undefined;
  }

  #giveUp() {
    this.#release();
    this.#drop();
    this.#link.tell({ state: "idle", trouble: "" });
  }

  #release() {
    this.#trying?.abort();
    this.#microphone?.release();
    this.#trying = this.#microphone = undefined;
    this.#ending = false;
  }

  /** What was said is neither used nor thrown away: the kernel is told, or finds, that no more comes, and keeps it. */
  #abandon() {
    this.#kernel.leave();
    if (this.#take && this.#microphone) this.#release();
    else if (this.#trying) this.#giveUp();
    this.#changed();
  }

  /**
   * @param {unknown} error
   * @param {AbortSignal} signal
   */
  #refuse(error, signal) {
    if (signal.aborted) return; // the one who aborted has said why
    this.#drop();
    this.#trying = undefined;
    const words = error instanceof Error ? error.message : String(error);
    if (error instanceof Shut) this.#devices.shut(words, error.lasting);
    this.#link.tell({ state: "idle", trouble: error instanceof Shut ? "" : words });
    void this.#devices.look(); // the chosen one may have gone
  }

  /** The kernel has changed the state: it knows better. */
  #follow() {
    const state = this.get("state");
    this.#kernel.follow();
    if (!this.#link.telling && state !== "asking" && state !== "recording") this.#release();
    this.#changed();
  }

  /** @param {any} message */
  #obey(message) {
    if (message.kind === "start" && this.#views > 0) void this.start();
    else if (message.kind === "stop") void this.stop();
    else if (message.kind === "cancel") this.cancel();
    else if (message.kind === "got") this.#got = message.take;
    else if (message.kind === "answered") this.#kernel.answer(message.ask);
  }

  /** Players are silent while somebody speaks: the microphone would hear them. @param {boolean} speaking */
  #quieten(speaking) {
    if (speaking) this.#endHush ??= hush();
    else this.#endHush = void this.#endHush?.();
  }

  #changed() {
    const busy = this.active && (this.state === "asking" || this.state === "recording");
    this.#quieten(busy && this.get("door") !== "file");
    this.dispatchEvent(new Event("change"));
  }
}
