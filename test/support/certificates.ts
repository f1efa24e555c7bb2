export {
  createCertificateAuthority,
  type Certificate,
  type CertificateAuthority,
} from '../../demo/parts/certificates.js';
