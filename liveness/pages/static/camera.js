// The camera. Owns: opening it, one JPEG at a time, closing it. Frames are never mirrored: only the preview is, by CSS.

const WIDTH = 640;
const HEIGHT = 480;

/** Why a camera could not be opened, in the page's words. */
export function cameraProblem(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "camera_refused";
  if (error.name === "NotFoundError" || error.name === "OverconstrainedError") return "camera_absent";
  if (error.name === "NotReadableError" || error.name === "AbortError") return "camera_busy";
  return "error";
}

export class Camera {
  static async open(video) {
    const camera = new Camera();
    camera.video = video;
    camera.stream = await navigator.mediaDevices.getUserMedia({
      audio: false, video: { facingMode: "user", width: { ideal: WIDTH }, height: { ideal: HEIGHT } },
    });
    video.srcObject = camera.stream;
    await video.play();
    const scale = Math.min(1, WIDTH / video.videoWidth);
    camera.canvas = document.createElement("canvas");
    camera.canvas.width = Math.round(video.videoWidth * scale);
    camera.canvas.height = Math.round(video.videoHeight * scale);
    camera.context = camera.canvas.getContext("2d", { alpha: false });
    return camera;
  }

  /** Return the next frame as JPEG bytes, at most `maxBytes` of them. */
  async frame(maxBytes) {
    await new Promise((done) => {
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(done);
      else requestAnimationFrame(done);
    });
    this.context.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    for (const quality of [0.85, 0.7, 0.5]) {
      const blob = await new Promise((done) => this.canvas.toBlob(done, "image/jpeg", quality));
      if (blob && blob.size <= maxBytes) return new Uint8Array(await blob.arrayBuffer());
    }
    throw new Error("frame");
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
