import Accounts
import Engines
import HTTP1
import Identity
import Metering
import NIOCore

/// Files: handed in, listed, shown, read back, deleted.
extension JobCall {
    /// Files on one page of a listing.
    private static let listedFilesMax = 1000

    func upload() {
        let admission = admission
        let (body, contentType, grant, seal) = (body, contentType, grant, seal)
        let boundary = "tollgate-" + Hexadecimal.text(of: loop.ids.bytes())
        onThread { () -> Result<FileUpload, APIError> in
            Result { () throws(APIError) in
                try FileUpload(
                    reading: body, contentType: contentType, admission: admission, grant: grant, seal: seal,
                    boundary: boundary)
            }
        } then: { [self] upload in
            let backend = upload.route.backend
            let content = Content(type: upload.contentType, bytes: upload.form)
            ask(question(.files, method: "POST", content: content, on: backend), missing: .noBatchBackends) {
                self.respondWithFile($0, on: backend)
            }
        }
    }

    func showFile(_ place: ObjectSeal.Place, on backend: Backend) {
        ask(question(.files, "/" + place.encodedID, on: backend), missing: .noSuch(.file, sealed(place, .file))) {
            self.respondWithFile($0, on: backend)
        }
    }

    func deleteFile(_ place: ObjectSeal.Place, on backend: Backend) {
        let id = sealed(place, .file)
        guard !shared.batches.isRead(place) else { return fail(.fileInUse(id)) }
        ask(question(.files, "/" + place.encodedID, method: "DELETE", on: backend), missing: .noSuch(.file, id)) {
            guard let object = try? JSONObjectText(reading: $0.body) else {
                return self.fail(.jobsUpstream(backend, nil))
            }
            self.respond($0.head.status, object.changed([("id", JSONString.bytes(of: id))]), on: backend)
        }
    }

    /// What was handed in comes back as it was, with the client's name of the model; answers come as they are.
    func sendContent(_ place: ObjectSeal.Place, on backend: Backend) {
        let missing = APIError.noSuch(.file, sealed(place, .file))
        ask(question(.files, "/" + place.encodedID, on: backend), missing: missing) { [self] answer in
            let name = (try? JSONObjectText(reading: answer.body))?.text("filename") ?? ""
            let tag = FileTag.read(name, for: grant.projectID, on: backend.name, by: seal)?.tag
            var content = question(.files, "/" + place.encodedID + "/content", on: backend)
            guard let tag, admission.snapshot.catalogue.upstreamName(of: tag.model, on: backend) != tag.model else {
                return stream(content, missing: missing)
            }
            content.answerBytesMax = 2 * shared.configuration.limits.bodyBytes
            ask(content, missing: missing) { self.respondWithContent($0, of: tag) }
        }
    }

    private func respondWithContent(_ answer: EngineCall.Answer, of tag: FileTag) {
        onThread { () -> Result<[UInt8], APIError> in
            let bytes = answer.body.withUnsafeBytes { bytes in
                (try? BatchInput(reading: bytes))?.bytes(of: bytes, naming: tag.model)
            }
            return .success(bytes ?? answer.body)
        } then: { [self] bytes in
            respond(answer.head.status, bytes, type: "application/octet-stream", on: nil)
        }
    }

    /// Files that were handed in by the project. Those that batches made are found in their batches: upstreams do not
    /// say whose they are.
    func listFiles() {
        let limit = min(queryValue("limit").flatMap { Int($0) } ?? Self.listedFilesMax, Self.listedFilesMax)
        let kept = ["order", "purpose"].compactMap { name in
            queryValue(name).map { "&\(name)=" + PercentEncoding.encoded($0) }
        }
        list(.files, .file, limit: max(1, limit), query: kept.joined()) { [self] row, backend in
            shownFile(row, on: backend)
        } then: { rows, hasMore in
            self.respondWithList(rows, hasMore: hasMore)
        }
    }

    private func respondWithFile(_ answer: EngineCall.Answer, on backend: Backend) {
        guard let object = try? JSONObjectText(reading: answer.body), let id = object.text("id") else {
            return fail(.jobsUpstream(backend, nil))
        }
        let shown = shownFile(answer.body, on: backend)
        // A file that a batch made has no tag, and nothing of it but its ids is ours.
        let bytes = shown ?? object.changed([("id", JSONString.bytes(of: sealed(id, .file, on: backend)))])
        respond(answer.head.status, bytes, on: backend)
    }

    /// A file as the client handed it in; nil for one that this project did not.
    private func shownFile(_ document: [UInt8], on backend: Backend) -> [UInt8]? {
        guard let object = try? JSONObjectText(reading: document), let id = object.text("id"),
            let name = object.text("filename"),
            let (tag, original) = FileTag.read(name, for: grant.projectID, on: backend.name, by: seal)
        else { return nil }
        return object.changed([
            ("id", JSONString.bytes(of: sealed(id, .file, on: backend))),
            ("filename", JSONString.bytes(of: original)),
            ("bytes", object.value("bytes") == nil ? nil : Array(String(tag.byteCount).utf8)),
        ])
    }

    func sealed(_ place: ObjectSeal.Place, _ kind: ObjectSeal.Kind) -> String {
        seal.sealed(place, kind, for: grant.projectID)
    }
}

extension APIError {
    fileprivate static func fileInUse(_ id: String) -> APIError {
        APIError(
            status: 409, type: "invalid_request_error", code: "file_in_use",
            message: "A batch whose lines are not on record yet reads the file \(id.prefix(200)). Delete it when the "
                + "batch has ended.",
            parameter: "file_id")
    }
}

extension ObjectSeal.Place {
    /// As a path has it.
    var encodedID: String { PercentEncoding.encoded(id) }
}

extension ModelCatalogue {
    /// What a backend calls a model; nil where it no longer serves it.
    func upstreamName(of model: String, on backend: Backend) -> String? {
        self.model(on: backend.name, named: model)?.1.upstreamName
    }
}
