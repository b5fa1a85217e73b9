import * as THREE from "three";

/** A globe that turns. */
export class Globe {
  private readonly renderer: THREE.WebGLRenderer;
  private readonly scene = new THREE.Scene();
  private readonly camera = new THREE.PerspectiveCamera(50, 4 / 3, 0.1, 100);
  private readonly mesh = new THREE.Mesh(new THREE.IcosahedronGeometry(1, 4), new THREE.MeshStandardMaterial({ wireframe: true }));
  private frame = 0;

  constructor(canvas: HTMLCanvasElement, private readonly onTurn: () => void) {
    this.renderer = new THREE.WebGLRenderer({ canvas });
    this.camera.position.z = 3;
    this.scene.add(this.mesh, new THREE.AmbientLight(0xffffff, 1));
  }

  start(): void {
    this.mesh.rotation.y += 0.01;
    if (this.mesh.rotation.y > 2 * Math.PI) {
      this.mesh.rotation.y = 0;
      this.onTurn();
    }
    this.renderer.render(this.scene, this.camera);
    this.frame = requestAnimationFrame(() => this.start());
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
  }
}
