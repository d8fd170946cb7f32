import Metering
import Testing

@Suite struct RecordNotesTests {
    @Test func `every note has a bit and a name of its own, and reads back from its text`() {
        #expect(Set(RecordNotes.named.map(\.note.rawValue)).count == RecordNotes.named.count)
        #expect(Set(RecordNotes.named.map(\.name)).count == RecordNotes.named.count)
        for (index, (note, name)) in RecordNotes.named.enumerated() {
            #expect(note.rawValue == 1 << UInt32(index))
            #expect(RecordNotes(text: name) == note)
        }
        let all = RecordNotes.named.reduce(into: RecordNotes()) { $0.insert($1.note) }
        #expect(RecordNotes(text: all.text) == all)
    }

    @Test func `no note is empty text, and an unknown one is refused`() {
        #expect(RecordNotes().text == "")
        #expect(RecordNotes(text: "") == [])
        #expect(RecordNotes(text: "tags_dropped,lost") == nil)
    }
}
