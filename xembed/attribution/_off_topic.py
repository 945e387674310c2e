"""Common words of many fields, to be planted in texts that they have nothing to do with."""

_WORDS = """
acorn albatross anchovy anvil apricot aquarium archery asteroid avalanche axle badger bagpipe ballet bamboo banjo
barley beehive biscuit bishop blizzard blossom bonfire botany bulldozer butterfly cactus camel canyon cathedral
cauldron cello champagne chisel choir cinnamon cliff comet compost coral cricket crocodile crossword cutlass dagger
daffodil dinosaur dolphin dragonfly drizzle dynasty eclipse elbow embroidery emerald falcon feather ferret fiddle
firefly flamingo fossil fountain foxglove galaxy gargoyle ginger giraffe glacier goblin goldfish gondola granite
grasshopper guitar gypsum hammock harvest haystack hedgehog helium hippopotamus hurricane iceberg igloo jasmine
javelin jellyfish juggler kangaroo kettle lagoon lantern lavender lemonade leopard lighthouse limestone lobster
longitude lullaby magnolia mammoth marathon marble meadow meteor molecule monastery mosquito moss mushroom nebula
nightingale nutmeg oasis octopus olive opera orchestra origami ostrich otter oyster paprika parachute parrot peacock
penguin pharaoh pilgrim plankton plough porcupine poultry pumpkin pyramid quartz rainbow raven reef rhubarb saddle
sapphire saxophone scarecrow sculpture seaweed shepherd skeleton sparrow sphinx squirrel stallion submarine sunflower
swamp tadpole tambourine thistle toboggan tornado trombone truffle tulip turtle vineyard violin volcano vulture walnut
walrus waterfall wheat whale willow windmill wizard wolf yoghurt zebra
"""
OFF_TOPIC = tuple(_WORDS.split())
